"""Who is let in to the live page: clients on the same computer, or those that know the token."""

from __future__ import annotations

import hmac

import pytest

from allocmeter.integrations.dashboard import DashboardApp
from dashboard_requests import HOST, ask, bearer, body_of, dashboard, header
from test_asgi_calls import request

pytestmark = pytest.mark.anyio

TOKEN = "s3cret-Token_of.29~characters"
HTML = (b"accept", b"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")


async def statuses(app, **more):
    """Return what the page, the figures and other paths and methods are answered with."""
    return [
        (await ask(app, path, method, **more)).status
        for path, method in [("/", "GET"), ("/figures.json", "GET"), ("/x", "GET"), ("/", "POST")]
    ]


LET_IN = [200, 200, 404, 405]
REFUSED = [403] * 4
UNKNOWN = [401] * 4


# Without a token: where a client is


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.9.1", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
)
async def test_clients_on_this_computer_are_let_in(address):
    app, _ = dashboard()
    assert await statuses(app, client=(address, 4711)) == LET_IN
    assert await statuses(app, client=[address, 4711]) == LET_IN


@pytest.mark.parametrize(
    "address",
    [
        *("192.0.2.1", "10.0.0.1", "126.255.255.255", "128.0.0.1", "0.0.0.0", "2001:db8::1"),
        *("::", "::2", "::ffff:192.0.2.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1%lo"),
        *("localhost", "testclient", "", "127.0.0.1.example.org", "127.1", "2130706433"),
        *("127.0.0.1:80", " 127.0.0.1", "0127.0.0.1", "127.0.0.1,192.0.2.1", "unix:"),
        *(None, 2130706433, 1, b"127.0.0.1", b"\x7f\0\0\1"),
    ],
)
async def test_all_others_are_refused(address):
    app, _ = dashboard()
    assert await statuses(app, client=(address, 4711)) == REFUSED
    found = await ask(app, client=(address, 4711), headers=[HTML])
    assert body_of(found) == (
        b"403: memory figures are shown to clients on the same computer only, and this request "
        b"came from another one.\nTo look at them from elsewhere, give DashboardApp a token.\n"
    )
    assert header(found, b"content-type") == b"text/plain; charset=utf-8"


@pytest.mark.parametrize("client", [None, (), "", []])
async def test_clients_from_nowhere_are_refused(client):
    app, _ = dashboard()
    assert await statuses(app, client=client) == REFUSED
    assert b"where this request came from is not known" in body_of(await ask(app, client=client))


async def test_a_server_may_leave_the_client_out():
    app, _ = dashboard()
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [HOST]}
    sent = []

    async def send(message):
        sent.append(message)

    await app(scope, None, send)
    assert sent[0]["status"] == 403


@pytest.mark.parametrize(
    "name",
    [
        *(b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"),
        *(b"x-forwarded-port", b"x-forwarded", b"x-real-ip", b"via", b"X-Forwarded-For"),
        *(b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"),
    ],
)
@pytest.mark.parametrize("value", [b"127.0.0.1", b""])
async def test_what_a_proxy_passes_on_is_refused(name, value):
    app, _ = dashboard()
    assert await statuses(app, headers=[(name, value)]) == REFUSED
    assert b"passed on by a proxy" in body_of(await ask(app, headers=[(name, value)]))


# Without a token: what a client asked for


@pytest.mark.parametrize(
    "host",
    [
        *(b"localhost", b"localhost:8000", b"LocalHost:1", b"127.0.0.1", b"127.0.0.1:8000"),
        *(b"127.1.2.3:80", b"[::1]", b"[::1]:8000", b"[::ffff:127.0.0.1]:80"),
    ],
)
async def test_a_client_may_ask_for_this_computer_by_name_or_address(host):
    app, _ = dashboard()
    assert (await request(app, headers=[(b"host", host)])).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *(b"evil.example", b"evil.example:8000", b"localhost.evil.example", b"127.0.0.1.evil.org"),
        *(b"192.0.2.1", b"0.0.0.0", b"[::]", b"[2001:db8::1]:80", b"[127.0.0.1]", b"[localhost]"),
        *(b"", b":80", b"localhost:", b"localhost:x", b"localhost:80:80", b"localhost, evil"),
        *(b"localhost@evil.example", b"evil.example@localhost", b" localhost", b"localhost."),
        *(b"::1", b"[::1", b"::1]", b"[::1]x", b"[[::1]]", b"127.1", b"2130706433", b"0x7f000001"),
        *(b"localhost\0", b"\xff", b"localhost:\xb2", b"l" * 100_000, b"1" * 100_000, b"[" * 99),
    ],
)
async def test_a_name_that_leads_here_is_not_enough(host):
    app, _ = dashboard()
    found = await request(app, headers=[(b"host", host)])
    assert found.status == 403
    assert b"a host that is not called localhost" in body_of(found)


@pytest.mark.parametrize("hosts", [[], [b"localhost", b"evil.example"], [b"localhost"] * 2])
async def test_a_client_asks_for_one_host(hosts):
    app, _ = dashboard()
    found = await request(app, headers=[(b"host", host) for host in hosts])
    assert found.status == 403


# With a token


@pytest.mark.parametrize("client", [("127.0.0.1", 1), ("192.0.2.1", 1), None])
async def test_whoever_knows_the_token_is_let_in(client):
    app, _ = dashboard(token=TOKEN)
    proxied = [(b"x-forwarded-for", b"192.0.2.7"), (b"host", b"example.org")]
    for scheme in (b"Bearer ", b"bearer ", b"BEARER  "):
        known = (b"authorization", scheme + TOKEN.encode())
        assert await statuses(app, client=client, headers=[known]) == LET_IN
        found = await request(app, client=client, headers=[known, *proxied])
        assert found.status == 200


WRONG = [
    [],
    [bearer("")],
    [bearer("wrong")],
    [bearer(TOKEN[:-1])],
    [bearer(TOKEN + "x")],
    [bearer(TOKEN.upper())],
    [bearer(TOKEN), bearer(TOKEN)],
    [bearer("wrong"), bearer(TOKEN)],
    [(b"authorization", TOKEN.encode())],
    [(b"authorization", b"Basic " + TOKEN.encode())],
    [(b"authorization", b"Bearer")],
    [(b"authorization", b"")],
    [(b"authorization", b"Bearer \xff\0")],
    [(b"cookie", b"token=" + TOKEN.encode())],
    [(b"x-token", TOKEN.encode())],
]


@pytest.mark.parametrize("headers", WRONG)
@pytest.mark.parametrize("client", [("127.0.0.1", 1), ("192.0.2.1", 1), None])
async def test_nobody_else_is(headers, client):
    app, _ = dashboard("GET /secret", token=TOKEN)
    assert await statuses(app, client=client, headers=headers) == UNKNOWN
    for path in ("/", "/figures.json"):
        found = await ask(app, path, client=client, headers=[*headers, HTML])
        assert found.status == 401
        assert header(found, b"www-authenticate") == b'Bearer realm="allocmeter"'
        assert b"secret" not in body_of(found)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"token={TOKEN}", 200),
        (f"a=b&token={TOKEN.replace('-', '%2D')}", 200),
        ("", 401),
        ("token", 401),
        ("token=", 401),
        ("token=wrong", 401),
        (f"Token={TOKEN}", 401),
        (f"token={TOKEN}&token={TOKEN}", 401),
        (f"token=wrong&token={TOKEN}", 401),
        (f"token={TOKEN}" + "&a=b" * 1000, 401),
        ("token=%ff%00", 401),
    ],
)
async def test_the_page_and_nothing_else_takes_the_token_from_its_address(query, status):
    app, _ = dashboard(token=TOKEN)
    for path in ("/", ""):
        found = await ask(app, path, query_string=query.encode())
        assert found.status == status
        assert TOKEN.encode() not in body_of(found)
    for path in ("/figures.json", "/x"):
        assert (await ask(app, path, query_string=query.encode())).status == 401


async def test_a_wrong_header_is_not_made_good_by_the_address():
    app, _ = dashboard(token=TOKEN)
    query = f"token={TOKEN}".encode()
    found = await ask(app, headers=[bearer("wrong")], query_string=query)
    assert found.status == 401


async def test_a_browser_without_the_token_gets_a_page_that_asks_for_it():
    app, _ = dashboard(token=TOKEN)
    page = body_of(await ask(app, headers=[bearer(TOKEN)]))
    for headers in ([HTML], [HTML, bearer("wrong")]):
        found = await ask(app, headers=headers)
        assert (found.status, body_of(found)) == (401, page)
    assert body_of(await ask(app)).startswith(b"401: this page needs a token")
    wrong = body_of(await ask(app, headers=[bearer("wrong")]))
    assert wrong.startswith(b"401: the token of the request is not the one")


async def test_tokens_are_compared_in_constant_time(monkeypatch):
    app, _ = dashboard(token=TOKEN)
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both))
    await ask(app, headers=[bearer("given")])
    assert compared == [(b"given", TOKEN.encode())]


@pytest.mark.parametrize("token", [b"bytes", 7, True, 1.5, [], object()])
def test_a_token_is_text(token):
    with pytest.raises(TypeError, match="a token is a str, not"):
        DashboardApp(token=token)


def test_an_empty_token_is_a_mistake():
    with pytest.raises(ValueError, match="the token is empty: everybody would know it"):
        DashboardApp(token="")


@pytest.mark.parametrize("token", [" ", "two words", "tab\t", "line\r\n", "café", "\u202e", "\x7f"])
def test_a_token_can_stand_in_a_header(token):
    with pytest.raises(ValueError, match="a character that an HTTP header does not carry"):
        DashboardApp(token=token)
