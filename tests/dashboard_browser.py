"""Driving a real browser over the WebDriver protocol, and a service for it to look at."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = BROWSER is None or DRIVER is None
PATIENCE = 60  # seconds until a page that does not change is taken for broken


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def eventually(condition, what):
    """Return what the condition says as soon as that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}; at last: {found!r}"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def program(*command, port):
    """Run a program until the block ends, from when it listens."""
    with subprocess.Popen(command) as child:
        try:
            eventually(lambda: child.poll() is not None or accepts(port), "a port")
            assert child.poll() is None
            yield child
        finally:
            child.terminate()


def serving(port, *arguments):
    service = Path(__file__).with_name("dashboard_service.py")
    return program(sys.executable, str(service), str(port), *arguments, port=port)


def fetch(port, *paths):
    """Ask the service for these, over one connection; return the status of each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    found = []
    for path in paths:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        found.append(response.status)
    connection.close()
    return found


class Browser:
    """One window of Chromium."""

    def __init__(self, port, folder):
        self._port = port
        options = {
            "binary": BROWSER,
            "args": [
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"),
                *("--window-size=1280,1000", f"--user-data-dir={folder}", "--no-first-run"),
            ],
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        self._session = ""
        found = self._call("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/{found['sessionId']}"

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2 * PATIENCE)
        text = None if body is None else json.dumps(body)
        connection.request(method, f"/session{self._session}{path}", text)
        answer = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{answer['error']}: {answer.get('message')}")
        return answer

    def open(self, address):
        self._call("POST", "/url", {"url": address})

    def run(self, script, *arguments):
        """Run the body of a function in the page and return what it returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script, *arguments):
        return eventually(lambda: self.run(script, *arguments), script)

    def devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width, height=1000, *, mobile=False):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, scheme):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.devtools("Emulation.setEmulatedMedia", features=[feature])

    def point_at(self, x, y):
        self.devtools("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def console(self):
        """Return what the browser had to complain about since this was asked last."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def requests(self):
        """Return the addresses that pages asked for since this was asked last."""
        events = [
            json.loads(entry["message"])["message"]
            for entry in self._call("POST", "/se/log", {"type": "performance"})
        ]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
            and not event["params"]["documentURL"].startswith("chrome:")  # the page of a new tab
        ]

    def screenshot(self):
        found = self.devtools("Page.captureScreenshot", captureBeyondViewport=False)
        return base64.b64decode(found["data"])

    def close(self):
        self._call("DELETE", "")


@contextlib.contextmanager
def browser(folder):
    port = free_port()
    with program(DRIVER, f"--port={port}", "--log-level=OFF", port=port):
        found = Browser(port, folder)
        try:
            yield found
        finally:
            found.close()
