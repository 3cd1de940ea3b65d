"""The options of the ASGI middleware, and what it does where it must not be in the way."""

from __future__ import annotations

import contextlib
import inspect
import logging
import re
import sys

import pytest

from allocmeter import report
from allocmeter._core.figures import read_own
from allocmeter.integrations._asgi_conversation import leave_out
from allocmeter.integrations._asgi_http import HttpConversation
from allocmeter.integrations._asgi_measuring import Measuring
from allocmeter.integrations.asgi import AllocationMiddleware
from children import output_of
from test_asgi_calls import END, START, Server, answer, http_scope, measured, names_of, request

pytestmark = pytest.mark.anyio


async def app(scope, receive, send):
    await answer(receive, send)


async def routed(scope, receive, send):
    """Have the template that the path is, as an application may say itself."""
    scope["path_template"] = scope["path"]
    await answer(receive, send)


# Names


async def test_an_application_may_say_its_template_itself(anyio_backend):
    assert await names_of(routed, "/items/{id}") == ["GET /items/{id}"]


async def test_requests_without_a_route_share_a_name_whatever_their_paths(anyio_backend):
    wrapped, registry = measured(app, max_names=1)
    for number in range(2_000):
        await request(wrapped, f"/missing/{number}")
    assert list(registry) == ["GET (unmatched)"]
    assert registry.row("GET (unmatched)").count == 2_000


@pytest.mark.parametrize("method", ["SPAM", "get", "", None, 7, b"GET"])
async def test_methods_that_http_does_not_define_share_a_name(anyio_backend, method):
    assert await names_of(routed, "/a", method=method) == ["(other) /a"]


async def test_names_beyond_the_cap_share_one(anyio_backend):
    wrapped, registry = measured(routed, max_names=2)
    for path in ("/a", "/b", "/c", "/d", "/a"):
        await request(wrapped, path)
    counts = {name: registry.row(name).count for name in registry}
    assert counts == {"GET /a": 2, "GET /b": 1, "(other)": 2}


def test_at_least_one_name_is_kept_apart():
    with pytest.raises(ValueError, match="max_names .* at least 1: 0"):
        AllocationMiddleware(app, max_names=0)


async def test_a_function_may_choose_names_and_leave_others_to_us(anyio_backend):
    def name(scope):
        assert scope["path_template"]
        return "the first" if scope["path"] == "/1" else None

    assert await names_of(routed, "/1", "/2", name=name) == ["the first", "GET /2"]


async def test_chosen_names_are_capped_as_well(anyio_backend):
    wrapped, registry = measured(app, name=lambda scope: scope["path"], max_names=2)
    for number in range(100):
        await request(wrapped, f"/{number}")
    assert list(registry) == ["/0", "/1", "(other)"]


async def test_a_function_that_fails_to_name_is_not_asked_again(anyio_backend, caplog):
    def name(scope):
        raise LookupError(scope["path"])

    assert await names_of(routed, "/1", "/2", name=name) == ["GET /1", "GET /2"]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("allocmeter", logging.ERROR)
    assert record.exc_info[1].args == ("/1",)


@pytest.mark.parametrize("chosen", [7, b"name", ["name"]])
async def test_a_name_that_is_no_text_is_a_failure_of_its_function(anyio_backend, caplog, chosen):
    assert await names_of(routed, "/1", "/2", name=lambda _: chosen) == ["GET /1", "GET /2"]
    (record,) = caplog.records
    assert str(record.exc_info[1]).startswith("the name of a scope is a str, not ")


async def test_a_scope_goes_to_the_registry_of_the_process_by_default(anyio_backend):
    await request(AllocationMiddleware(app, name=lambda _: "to the default registry"))
    assert "to the default registry" in [row.name for row in report().rows]


# Exclusion


async def excluded_among(paths, root_path="", **options):
    measured_paths = []

    async def noting(scope, receive, send):
        if "allocmeter" in scope:
            measured_paths.append(scope["path"])
        await answer(receive, send)

    wrapped, _ = measured(noting, **options)
    for path in paths:
        await request(wrapped, path, root_path=root_path)
    return [path for path in paths if path not in measured_paths]


async def test_paths_are_excluded_with_all_that_is_below_them(anyio_backend):
    paths = ["/health", "/health/db", "/healthy", "/static/a/b.css", "/static", "/", "/x"]
    found = await excluded_among(paths, exclude=["/health", "/static/"])
    assert found == ["/health", "/health/db", "/static/a/b.css", "/static"]
    assert await excluded_among(paths, exclude=("/",)) == ["/"]


async def test_a_function_may_say_what_is_excluded(anyio_backend):
    found = await excluded_among(["/a", "/b"], exclude=lambda scope: scope["path"] == "/b")
    assert found == ["/b"]


async def test_excluded_paths_are_below_the_one_that_the_application_is_served_at(anyio_backend):
    paths = ["/api/health", "/api", "/apis/health"]
    assert await excluded_among(paths, "/api", exclude=["/health"]) == ["/api/health"]
    assert await excluded_among(paths, "/api", exclude=["/"]) == ["/api"]


def test_a_single_path_is_no_collection_of_paths():
    with pytest.raises(TypeError, match=re.escape("not a single one: ('/health',)")):
        AllocationMiddleware(app, exclude="/health")


async def test_a_request_may_be_left_out_of_the_figures(anyio_backend):
    async def app(scope, receive, send):
        if scope["path"] == "/figures":
            leave_out(dict(scope))
        await answer(receive, send)

    wrapped, registry = measured(app)
    assert (await request(wrapped, "/figures")).sent == [START, END]
    assert list(registry) == []
    await request(wrapped, "/other")
    assert registry.row("GET (unmatched)").count == 1
    leave_out(http_scope())  # nothing is measured: nothing to leave out


# Never in the way


async def test_unknown_kinds_of_connections_are_passed_on_untouched(anyio_backend):
    passed = []

    async def noting(*arguments):
        passed.append(arguments)

    wrapped, registry = measured(noting)
    arguments = {"type": "mqtt", "path": "/"}, object(), object()
    await wrapped(*arguments)
    assert passed == [arguments]
    assert arguments[0] == {"type": "mqtt", "path": "/"}
    assert not len(registry)


async def test_of_two_instances_the_outer_one_measures(anyio_backend):
    inner, inner_registry = measured(routed)
    outer, outer_registry = measured(inner)
    server = await request(outer, "/a")
    assert server.sent == [START, END]
    assert (list(outer_registry), list(inner_registry)) == (["GET /a"], [])


async def test_what_the_outer_instance_excludes_is_left_to_the_inner_one(anyio_backend):
    inner, inner_registry = measured(routed)
    outer, outer_registry = measured(inner, exclude=["/a"])
    await request(outer, "/a")
    assert (list(outer_registry), list(inner_registry)) == ([], ["GET /a"])


@pytest.mark.parametrize(
    ("owner", "failing"), [(HttpConversation, "prepare"), (Measuring, "name_of")]
)
async def test_a_failure_of_ours_affects_no_request_and_is_logged_once(
    anyio_backend, monkeypatch, caplog, owner, failing
):
    wrapped, registry = measured(app, server_timing=failing == "prepare")  # then not all is native
    await request(wrapped)

    def fail(*arguments):
        raise LookupError("ours")

    monkeypatch.setattr(owner, failing, fail)
    servers = [await request(wrapped) for _ in range(3)]
    monkeypatch.undo()
    servers.append(await request(wrapped))
    assert [server.sent for server in servers] == [[START, END]] * 4
    (record,) = caplog.records
    assert "from here on they are not measured" in record.getMessage()
    # The one that could not be named keeps the name it had.
    assert registry.row("GET (unmatched)").count == (2 if failing == "name_of" else 1)


async def test_a_function_that_fails_to_exclude_affects_no_request(anyio_backend, caplog):
    def exclude(scope):
        raise LookupError

    wrapped, _ = measured(app, exclude=exclude)
    assert [(await request(wrapped)).sent for _ in range(2)] == [[START, END]] * 2
    assert len(caplog.records) == 1


@pytest.mark.parametrize("message", [{}, {"type": None}, {"type": 3, "more_body": 1}])
async def test_a_malformed_message_is_between_application_and_server(
    anyio_backend, caplog, message
):
    async def careless(scope, receive, send):
        await send(message)

    server = Server()
    wrapped, _ = measured(careless)
    with contextlib.suppress(KeyError):
        await wrapped(http_scope(), server.receive, server.send)
    assert server.sent == [message]
    assert not caplog.records


def test_servers_recognize_the_middleware_as_an_asgi_3_application():
    assert inspect.iscoroutinefunction(AllocationMiddleware(app).__call__)


def test_importing_it_imports_no_framework():
    frameworks = ("starlette", "fastapi", "litestar", "quart", "werkzeug", "django", "anyio")
    code = f"""
        import sys, allocmeter.integrations.asgi
        print(sorted(set({frameworks}) & set(sys.modules)))
    """
    assert output_of(code) == "[]\n"


@pytest.mark.exact
@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio"])
async def test_requests_leave_nothing_behind(anyio_backend):
    wrapped, registry = measured(routed, server_timing=True)
    for _ in range(100):
        await request(wrapped, "/a")
    before = read_own()
    for _ in range(1_000):
        await request(wrapped, "/a")
    after = read_own()
    live = [own.bytes_allocated - own.bytes_deallocated for own in (before, after)]
    assert live[1] - live[0] < 1_000
    assert registry.row("GET /a").retained_bytes < 200
    assert sys.getrefcount(wrapped) < 5
