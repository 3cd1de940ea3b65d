"""`measured`: every kind of function keeps its kind and is measured while its body runs."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import gc
import inspect
import sys
import types
import weakref

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocmeter import Registry, measure, measured
from allocmeter._core.figures import current_scope

N = 10_000
SIZE = sys.getsizeof(bytes(N))

requires_marks = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="inspect.markcoroutinefunction is new in Python 3.12"
)


class Probe:
    """Remembers the scope that was current in a body, without allocating there."""

    __slots__ = ("scope",)

    def __init__(self):
        self.scope = None

    def __call__(self):
        self.scope = current_scope()


@types.coroutine
def pause():
    """Suspend the running coroutine once, to whoever drives it."""
    return (yield)


# Kind, signature, metadata -------------------------------------------------------------------


def plain(a: int, /, b: str = "b", *args: int, c: float, **kwargs: bytes) -> None:
    """Has a text."""


async def coroutine(a: int, /, b: str = "b", *args: int, c: float, **kwargs: bytes) -> None:
    """Has a text."""


def generator(a: int, /, b: str = "b", *args: int, c: float, **kwargs: bytes):
    """Has a text."""
    yield


async def async_generator(a: int, /, b: str = "b", *args: int, c: float, **kwargs: bytes):
    """Has a text."""
    yield


KINDS = [plain, coroutine, generator, async_generator]
PREDICATES = [inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction]


@pytest.mark.parametrize("function", KINDS)
@pytest.mark.parametrize("decorate", [measured, measured(), measured("n"), measured(name="n")])
def test_the_wrapper_is_of_the_same_kind_and_has_the_same_metadata(function, decorate):
    function.mark = "kept"
    wrapper = decorate(function)
    assert [p(wrapper) for p in PREDICATES] == [p(function) for p in PREDICATES]
    assert inspect.signature(wrapper) == inspect.signature(function)
    assert wrapper.__wrapped__ is function
    for attribute in (*functools.WRAPPER_ASSIGNMENTS, "mark"):
        assert getattr(wrapper, attribute) == getattr(function, attribute)


class AsyncCallable:
    async def __call__(self, a, b=2):
        return a, b, current_scope().name


class Service:
    @measured
    def plain(self):
        return self, current_scope().name

    @measured
    async def coroutine(self):
        return self, current_scope().name

    @measured
    def generator(self):
        yield self, current_scope().name

    @measured
    async def async_generator(self):
        yield self, current_scope().name

    @measured
    @classmethod
    async def outside_classmethod(cls):
        return cls, current_scope().name

    @classmethod
    @measured
    async def inside_classmethod(cls):
        return cls, current_scope().name

    @measured
    @staticmethod
    async def outside_staticmethod():
        return None, current_scope().name

    @staticmethod
    @measured
    async def inside_staticmethod():
        return None, current_scope().name

    def unmeasured(self):
        return self, current_scope().name


@pytest.mark.anyio
async def test_methods_of_every_kind_are_measured_under_their_qualified_names():
    service = Service()
    assert service.plain() == (service, "Service.plain")
    assert await service.coroutine() == (service, "Service.coroutine")
    assert list(service.generator()) == [(service, "Service.generator")]
    items = [item async for item in service.async_generator()]
    assert items == [(service, "Service.async_generator")]
    assert measured(service.unmeasured)() == (service, "Service.unmeasured")


@pytest.mark.anyio
@pytest.mark.parametrize("owner", [Service, Service()], ids=["class", "instance"])
async def test_either_order_of_classmethod_and_staticmethod_works(owner):
    assert await owner.outside_classmethod() == (Service, "Service.outside_classmethod")
    assert await owner.inside_classmethod() == (Service, "Service.inside_classmethod")
    assert await owner.outside_staticmethod() == (None, "Service.outside_staticmethod")
    assert await owner.inside_staticmethod() == (None, "Service.inside_staticmethod")
    for name in ("outside_classmethod", "outside_staticmethod"):
        assert inspect.iscoroutinefunction(getattr(owner, name))
    assert type(Service.__dict__["outside_classmethod"]) is classmethod
    assert type(Service.__dict__["outside_staticmethod"]) is staticmethod


@pytest.mark.anyio
async def test_partials_and_callable_objects_are_measured_as_what_they_call():
    async def add(a, b):
        """Adds."""
        return a + b, current_scope().name

    partial = measured(functools.partial(functools.partial(add, 1), b=2))
    assert inspect.iscoroutinefunction(partial)
    assert str(inspect.signature(partial)) == "(*, b=2)"
    assert (partial.__name__, partial.__doc__) == ("add", "Adds.")
    assert await partial() == (3, add.__qualname__)

    called = measured(AsyncCallable())
    assert inspect.iscoroutinefunction(called)
    assert str(inspect.signature(called)) == "(a, b=2)"
    assert await called(1) == (1, 2, "AsyncCallable.__call__")
    assert await measured(functools.partial(AsyncCallable(), 1))(b=3) == (
        1,
        3,
        "AsyncCallable.__call__",
    )


@requires_marks
@pytest.mark.anyio
async def test_a_marked_function_is_measured_from_its_call_to_the_end_of_its_awaitable():
    names = []

    async def body():
        await anyio.lowlevel.checkpoint()
        names.append(current_scope().name)

    @measured("marked")
    @inspect.markcoroutinefunction
    def marked():
        names.append(current_scope().name)
        return body()

    class Marked:
        @inspect.markcoroutinefunction
        def __call__(self):
            names.append(current_scope().name)
            return body()

    for function in (marked, measured("object")(Marked())):
        assert inspect.iscoroutinefunction(function)
        await function()
    assert names == ["marked", "marked", "object", "object"]


@pytest.mark.anyio
async def test_a_generator_based_coroutine_stays_awaitable():
    @measured
    @types.coroutine
    def legacy():
        yield from anyio.lowlevel.checkpoint().__await__()
        return current_scope().name

    assert await legacy() == legacy.__qualname__


def test_a_builtin_is_measured():
    assert measured(sorted)([2, 1], reverse=True) == [2, 1]


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        (Service, "decorate its methods"),
        (3, "takes a function"),
        (property(plain), "below decorators such as @property"),
        (classmethod(Service), "decorate its methods"),
        (generator(1, c=1), "not what calling it returned"),
        (async_generator(1, c=1), "not what calling it returned"),
    ],
)
def test_what_has_no_calls_is_refused_with_advice(target, advice):
    with pytest.raises(TypeError, match=advice):
        measured(target)
    with pytest.raises(TypeError, match=advice):
        measured("name")(target)


def test_an_opened_coroutine_is_refused_with_advice():
    opened = coroutine(1, c=1)
    with pytest.raises(TypeError, match="not what calling it returned"):
        measured(opened)
    opened.close()


def test_a_name_is_one_string():
    with pytest.raises(TypeError, match="two names, 'a' and 'b'"):
        measured("a", name="b")
    with pytest.raises(TypeError, match="is a str, not int"):
        measured(name=3)


# Generators behave as the plain ones ----------------------------------------------------------


class OddError(Exception):
    pass


THROWN = [ValueError, OddError, KeyboardInterrupt, GeneratorExit, StopIteration, StopAsyncIteration]


def weighted(**weights):
    choices = [
        name.replace("_", " ").strip() for name, weight in weights.items() for _ in range(weight)
    ]
    return st.sampled_from(choices)


actions = weighted(yield_=6, pause=2, return_=1, raise_ValueError=1, raise_StopIteration=1)
reactions = weighted(swallow=6, propagate=2, replace=1, replace_outside=1, finally_=1)
scripts = st.lists(st.tuples(actions, reactions), min_size=1, max_size=5)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from([None, 1])),
        st.tuples(st.just("send"), st.none()),
        st.tuples(st.just("throw"), st.sampled_from(THROWN)),
        st.tuples(st.just("close"), st.none()),
        st.tuples(st.just("interrupt"), st.sampled_from(THROWN)),
    ),
    max_size=6,
)


class Log(list):
    """What reached a body. Once it is to be finalized, the body resists no more."""

    finalizing = False


def described(error):
    """What a caller can tell about an exception: its type, arguments and history."""
    if error is None:
        return None
    chain = described(error.__cause__), described(error.__context__), error.__suppress_context__
    return type(error), error.args, chain


def follow(reaction, error, log):
    log.append(("thrown in", described(error), current_exception()))
    if log.finalizing:
        raise error
    if reaction == "replace":
        raise OddError("inside the handler")
    if reaction in {"propagate", "finally"}:
        raise error


def current_exception():
    return described(sys.exception() if sys.version_info >= (3, 11) else None)


def scripted(script, log):
    """A generator that does what the script says, and logs all that reaches it."""
    try:
        for number, (action, reaction) in enumerate(script):
            try:
                if action == "return":
                    return number
                if action.startswith("raise"):
                    raise ValueError if action.endswith("ValueError") else StopIteration
                log.append(("sent", (yield number)))
            except BaseException as error:
                follow(reaction, error, log)
            if reaction == "replace outside":
                raise OddError("outside the handler")
    finally:
        log.append(("finally", current_exception()))
        if script and script[-1][1] == "finally" and not log.finalizing:
            yield "from finally"


async def async_scripted(script, log):
    """The same, which also waits."""
    try:
        for number, (action, reaction) in enumerate(script):
            try:
                if action == "return":
                    return
                if action == "pause":
                    log.append(("resumed", await pause()))
                if action.startswith("raise"):
                    raise ValueError if action.endswith("ValueError") else StopAsyncIteration
                log.append(("sent", (yield number)))
            except BaseException as error:
                follow(reaction, error, log)
            if reaction == "replace outside":
                raise OddError("outside the handler")
    finally:
        log.append(("finally", current_exception()))
        if script and script[-1][1] == "finally" and not log.finalizing:
            yield "from finally"


@contextlib.contextmanager
def unraisable(log):
    """Log what a finalizer raises, which nobody can catch."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda args: log.append(("unraisable", described(args.exc_value)))
    try:
        yield
    finally:
        sys.unraisablehook = hook


def outcome_of(step):
    try:
        return "item", step()
    except BaseException as error:
        return "raised", described(error), getattr(error, "value", None)


def delegating(body):
    return (yield from body)


def outcomes(create, operations, *, through_yield_from):
    log = Log()
    with unraisable(log):
        results = results_of(create(log), log, operations, through_yield_from=through_yield_from)
        gc.collect(0)
    return results, log


def results_of(body, log, operations, *, through_yield_from):
    consumer = delegating(body) if through_yield_from else body
    results = []
    for operation, argument in operations:
        if operation == "send":
            results.append(outcome_of(functools.partial(consumer.send, argument)))
        elif operation == "close":
            results.append(outcome_of(consumer.close))
        else:
            results.append(outcome_of(functools.partial(consumer.throw, argument("thrown"))))
    log.finalizing = True
    return [*results, inspect.getgeneratorstate(body)]


@settings(max_examples=200, deadline=None)
@given(scripts, operations, st.booleans())
def test_a_measured_generator_behaves_as_the_plain_one(script, operations, through_yield_from):
    plain, wrapped = (
        outcomes(
            functools.partial(create, script), operations, through_yield_from=through_yield_from
        )
        for create in (scripted, measured(scripted))
    )
    assert wrapped == plain
    assert current_scope() is None


def drive(awaitable, interruption):
    """Run an awaitable to its end, or interrupt it the first time it waits."""
    iterator = awaitable.__await__()
    step = functools.partial(next, iterator)
    while True:
        try:
            step()
        except StopIteration as end:
            return end.value
        step = functools.partial(next, iterator)
        if interruption is GeneratorExit:
            return iterator.close()
        if interruption is not None:
            step = functools.partial(iterator.throw, interruption("interrupted"))
            interruption = None


def async_outcomes(create, operations):
    log = Log()
    with unraisable(log):
        results = async_results_of(create(log), log, operations)
        gc.collect(0)
    return results, log


def async_results_of(body, log, operations):
    results = []
    interruption = None
    for operation, argument in operations:
        if operation == "interrupt":
            interruption = argument
            # Python does not say what happens if a body resists its end in the middle of a step.
            log.finalizing = log.finalizing or argument is GeneratorExit
            continue
        if operation == "send":
            step = body.asend(argument)
        elif operation == "close":
            step = body.aclose()
        else:
            step = body.athrow(argument("thrown"))
        results.append(outcome_of(functools.partial(drive, step, interruption)))
        interruption = None
    log.finalizing = True
    return [*results, body.ag_running, body.ag_frame is None]


@settings(max_examples=200, deadline=None)
@given(scripts, operations)
def test_a_measured_async_generator_behaves_as_the_plain_one(script, operations):
    plain, wrapped = (
        async_outcomes(functools.partial(create, script), operations)
        for create in (async_scripted, measured(async_scripted))
    )
    assert wrapped == plain
    assert current_scope() is None


# Figures --------------------------------------------------------------------------------------


def spent(row):
    """What each call of one name allocated, all having allocated the same: blocks, bytes."""
    assert (row.allocations.min, row.bytes_allocated.min) == (
        row.allocations.max,
        row.bytes_allocated.max,
    )
    return row.allocations.max, row.bytes_allocated.max


def nothing():
    pass


def block():
    bytes(N)


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def outcome(registry):
    """The counts of the only name in the registry: calls, errors, cancelled."""

    def read():
        (name,) = registry
        row = registry.row(name)
        return row.count, row.errors, row.cancelled

    return read


def sync_call(work, name, registry):
    @measured(name=name, registry=registry)
    def body():
        work()

    return body


def sync_steps(work, name, registry):
    @measured(name=name, registry=registry)
    def body():
        work()
        yield
        work()

    return lambda: list(body())


def async_call(work, name, registry):
    @measured(name=name, registry=registry)
    async def body():
        await anyio.lowlevel.checkpoint()
        work()

    return body


def async_steps(work, name, registry):
    @measured(name=name, registry=registry)
    async def body():
        work()
        yield
        await anyio.lowlevel.checkpoint()
        work()

    async def consume():
        async for _ in body():
            pass

    return consume


@pytest.mark.exact
@pytest.mark.parametrize(("kind", "blocks"), [(sync_call, 1), (sync_steps, 2)])
def test_a_body_is_charged_exactly_what_it_allocates(kind, blocks, registry):
    for work in (nothing, block) * 3:
        kind(work, work.__name__, registry)()
    base = spent(registry.row("nothing"))
    assert spent(registry.row("block")) == (base[0] + blocks, base[1] + blocks * SIZE)


@pytest.mark.exact
@pytest.mark.anyio
@pytest.mark.parametrize(("kind", "blocks"), [(async_call, 1), (async_steps, 2)])
async def test_an_async_body_is_charged_exactly_what_it_allocates(kind, blocks, registry):
    for work in (nothing, block) * 3:
        await kind(work, work.__name__, registry)()
    bare, full = registry.row("nothing"), registry.row("block")
    assert full.bytes_allocated.min >= blocks * SIZE
    # The event loop's own bookkeeping inside the steps comes and goes.
    assert full.allocations.min - bare.allocations.min == blocks
    assert full.bytes_allocated.min - bare.bytes_allocated.min == blocks * SIZE


@pytest.mark.exact
@pytest.mark.anyio
async def test_calling_what_allocates_nothing_is_charged_nothing(registry):
    @measured("plain", registry=registry)
    def plain(a, b):
        pass

    @measured("coroutine", registry=registry)
    async def coroutine(a, *, b):
        pass

    free_list_taken = [{} for _ in range(100)]
    for _ in range(3):
        plain(1, 2)
        await coroutine(1, b=2)
    assert len(free_list_taken) == 100
    assert spent(registry.row("plain")) == (0, 0)
    assert spent(registry.row("coroutine")) == (0, 0)


@pytest.mark.anyio
async def test_a_coroutine_function_is_measured_while_its_body_runs_not_when_it_is_called(
    registry, outcome
):
    @measured(registry=registry)
    async def body():
        await anyio.lowlevel.checkpoint()
        return bytes(N)

    opened = body()
    assert not list(registry)
    result = await opened
    assert outcome() == (1, 0, 0)
    (name,) = registry
    assert registry.row(name).bytes_allocated.sum >= SIZE
    assert registry.row(name).retained_bytes >= SIZE
    del result
    assert registry.row(name).retained_bytes < SIZE


def test_a_coroutine_never_awaited_opens_no_scope(registry):
    @measured(registry=registry)
    async def body():
        pass

    body().close()
    assert not list(registry)


@pytest.mark.exact
def test_the_consumer_is_charged_for_its_own_work_and_the_generator_for_its_body(registry):
    @measured("body", registry=registry)
    def body():
        for _ in range(3):
            bytes(N)
            yield

    for _ in range(2):
        for _ in body():
            pass
        with measure() as consumer:
            for _ in body():
                bytes(20 * N)
    assert consumer.self_stats.bytes_allocated >= 3 * 20 * N
    assert consumer.stats.bytes_allocated >= 3 * 20 * N + 3 * SIZE
    blocks, size = spent(registry.row("body"))
    assert 3 * SIZE <= size < 4 * SIZE
    assert blocks < 10


@pytest.mark.anyio
async def test_a_generator_is_current_while_its_body_runs_and_never_in_its_consumer():
    names = []

    @measured("sync")
    def sync_body():
        names.append(current_scope().name)
        yield
        names.append(current_scope().name)

    @measured("async")
    async def async_body():
        names.append(current_scope().name)
        yield
        await anyio.lowlevel.checkpoint()
        names.append(current_scope().name)

    with measure("consumer") as consumer:
        for _ in sync_body():
            assert current_scope() is consumer
        async for _ in async_body():
            assert current_scope() is consumer
            await anyio.lowlevel.checkpoint()
            assert current_scope() is consumer
        assert current_scope() is consumer
    assert current_scope() is None
    assert names == ["sync", "sync", "async", "async"]


@pytest.mark.exact
def test_nested_generators_are_parts_of_the_outer_one():
    outer, inner = Probe(), Probe()

    @measured
    def leaf():
        inner()
        yield bytes(N)

    @measured
    def root():
        outer()
        yield from leaf()

    with measure() as around:
        items = list(root())
    assert len(items) == 1
    assert outer.scope.stats.net_bytes == inner.scope.stats.net_bytes == SIZE
    assert outer.scope.self_stats.net_bytes == 0
    assert around.stats.net_bytes >= SIZE


@pytest.mark.exact
@pytest.mark.anyio
async def test_an_exhausted_generator_retains_nothing_of_the_interpreters_own():
    probe = Probe()

    @measured
    def sync_body():
        probe()
        yield

    @measured
    async def async_body():
        probe()
        yield

    for _ in sync_body():
        pass
    assert probe.scope.stats.net_allocations == 0
    # Twice: the interpreter keeps the wrapper of an item that it has made once.
    for _ in range(2):
        async for _ in async_body():
            pass
    assert probe.scope.stats.net_allocations == 0


def consume_sync(function):
    for _ in function():
        pass


def consume_async(function):
    async def consume():
        async for _ in function():
            pass

    drive(consume(), None)


def sync_pair():
    yield
    yield


async def async_pair():
    yield
    yield


async def immediate():
    pass


@pytest.mark.exact
@pytest.mark.parametrize(
    ("function", "use"),
    [
        (nothing, lambda function: function()),
        (immediate, lambda function: drive(function(), None)),
        (sync_pair, consume_sync),
        (async_pair, consume_async),
    ],
)
def test_measuring_costs_the_caller_no_block_more(function, use):
    wrapped = measured(function)
    for warm_up in (function, wrapped):
        use(warm_up)
    with measure() as with_plain:
        use(function)
    with measure() as with_wrapped:
        use(wrapped)
    assert with_wrapped.self_stats.allocations == with_plain.self_stats.allocations


@pytest.mark.exact
def test_decorating_is_the_librarys_own_work():
    with measure() as m:
        measured(nothing)
    assert m.stats.allocations == 0


# Lifetimes ------------------------------------------------------------------------------------


class Item:
    pass


@pytest.mark.anyio
async def test_neither_arguments_nor_items_live_longer_than_without_measuring():
    def give(argument):
        given = weakref.ref(argument)
        del argument
        item = Item()
        return given, item, weakref.ref(item)

    @measured
    async def awaited(argument):
        given = weakref.ref(argument)
        del argument
        return given()

    assert await awaited(Item()) is None

    @measured
    def sync_body(argument):
        given, item, made = give(argument)
        del argument
        assert given() is None
        yield item
        del item
        assert made() is None
        yield

    @measured
    async def async_body(argument):
        given, item, made = give(argument)
        del argument
        assert given() is None
        yield item
        del item
        assert made() is None
        yield

    sync_generator = sync_body(Item())
    next(sync_generator)
    next(sync_generator)
    async_generator = async_body(Item())
    await anext(async_generator)
    await anext(async_generator)
    await async_generator.aclose()


def test_a_sent_value_is_not_kept_while_the_generator_is_suspended():
    @measured
    def body():
        while True:
            yield

    generator = body()
    next(generator)
    value = Item()
    alive = weakref.ref(value)
    generator.send(value)
    del value
    assert alive() is None


@pytest.mark.anyio
async def test_exceptions_leave_no_reference_cycle():
    @measured
    def sync_body():
        yield

    @measured
    async def async_body():
        yield

    gc.collect()
    gc.disable()
    try:
        for throw in (False, True):
            error = OddError()
            alive = weakref.ref(error)
            sync_generator, async_generator = sync_body(), async_body()
            next(sync_generator)
            await anext(async_generator)
            with contextlib.suppress(OddError):
                sync_generator.throw(error)
            if throw:
                with contextlib.suppress(OddError):
                    await async_generator.athrow(error)
            await async_generator.aclose()
            del error, sync_generator, async_generator
            assert alive() is None
    finally:
        gc.enable()


def test_a_generator_never_started_opens_no_scope(registry):
    @measured(registry=registry)
    def body():
        yield

    body().close()
    del body
    assert not list(registry)


def test_a_call_with_wrong_arguments_opens_no_scope(registry):
    @measured(registry=registry)
    def body():
        yield

    with pytest.raises(TypeError, match="takes 0 positional arguments"):
        next(body(1))
    assert not list(registry)


@pytest.mark.parametrize("end", ["exhaust", "close", "drop"])
def test_exhausting_closing_or_dropping_a_generator_is_a_success(end, registry, outcome):
    probe, finished = Probe(), []

    @measured(registry=registry)
    def body():
        try:
            yield
        finally:
            probe()
            finished.append(current_scope())

    generator = body()
    next(generator)
    assert not list(registry)
    if end == "exhaust":
        assert next(generator, None) is None
    elif end == "close":
        generator.close()
    del generator
    assert finished == [probe.scope]
    assert probe.scope.is_closed
    assert current_scope() is None
    assert outcome() == (1, 0, 0)


@pytest.mark.anyio
async def test_a_failed_call_keeps_its_figures_and_counts_as_an_error(registry):
    probe = Probe()

    def work():
        probe()
        bytes(N)
        raise OddError

    for kind in (sync_call, sync_steps):
        with pytest.raises(OddError):
            kind(work, kind.__name__, registry)()
        assert probe.scope.stats.bytes_allocated >= SIZE
    for kind in (async_call, async_steps):
        with pytest.raises(OddError):
            await kind(work, kind.__name__, registry)()
        assert probe.scope.stats.bytes_allocated >= SIZE
    rows = [registry.row(name) for name in registry]
    assert [(row.count, row.errors, row.cancelled) for row in rows] == [(1, 1, 0)] * 4
    assert current_scope() is None


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [async_call, async_steps])
async def test_a_cancelled_call_keeps_its_figures_and_counts_as_cancelled(kind, registry, outcome):
    probe = Probe()

    def work():
        probe()
        bytes(N)
        cancelling.cancel()

    with anyio.CancelScope() as cancelling:
        await kind(work, "name", registry)()
        await kind(work, "name", registry)()
    assert cancelling.cancelled_caught
    assert probe.scope.is_closed
    assert probe.scope.stats.bytes_allocated >= SIZE
    assert current_scope() is None
    assert outcome()[2] == 1
    assert outcome()[1] == 0


@pytest.mark.anyio
async def test_a_body_that_survives_cancellation_goes_on_in_its_scope(registry, outcome):
    scopes = []

    @measured(registry=registry)
    async def body():
        with anyio.CancelScope() as inner:
            inner.cancel()
            await anyio.lowlevel.checkpoint()
        scopes.append(current_scope())
        yield
        scopes.append(current_scope())

    async for _ in body():
        assert current_scope() is None
    assert scopes[0] is scopes[1] is not None
    assert outcome() == (1, 0, 0)


# Async generators that end elsewhere ----------------------------------------------------------


@pytest.fixture
def lingering(registry):
    """An async generator function whose body waits while it is closed, and its observations."""
    seen = []

    @measured(registry=registry)
    async def body():
        scope = current_scope()
        try:
            while True:
                yield scope
        finally:
            seen.append(current_scope() is scope)
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            seen.append(current_scope() is scope)

    return body, seen


@pytest.mark.anyio
async def test_an_async_generator_may_be_stepped_and_closed_by_other_tasks(lingering, outcome):
    body, seen = lingering
    generator = body()
    scopes = []

    async def step(ending):
        with measure("stepping") as around:
            scopes.append(await anext(generator))
            if ending:
                await generator.aclose()
            assert current_scope() is around

    for ending in (False, False, True):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(step, ending)
    assert current_scope() is None
    assert scopes[0] is scopes[1] is scopes[2]
    assert scopes[0].is_closed
    assert seen == [True, True]
    assert outcome() == (1, 0, 0)


def test_an_async_generator_may_be_closed_in_another_context(registry, outcome):
    @measured(registry=registry)
    async def body():
        try:
            await pause()
            yield current_scope()
        finally:
            await pause()

    first_context, second_context = contextvars.Context(), contextvars.Context()
    generator = body()
    scope = first_context.run(drive, anext(generator), None)
    second_context.run(drive, generator.aclose(), None)
    assert scope.is_closed
    for context in (first_context, second_context):
        assert context.run(current_scope) is None
    assert outcome() == (1, 0, 0)


def test_a_step_begun_in_one_context_may_be_abandoned_in_another(registry, outcome):
    @measured(registry=registry)
    async def body():
        await pause()
        yield

    first_context = contextvars.Context()
    generator = body()
    step = anext(generator).__await__()
    first_context.run(next, step)
    step.close()
    del step, generator
    gc.collect()
    assert current_scope() is None
    assert first_context.run(current_scope) is None
    assert outcome() == (1, 0, 0)


def test_the_event_loop_closes_async_generators_at_shutdown_in_their_scope(
    anyio_backend, lingering, outcome, capfd, caplog
):
    body, seen = lingering
    kept = []

    async def main():
        for _ in range(10):
            kept.append(body())
            await anext(kept[-1])

    backend, options = anyio_backend
    anyio.run(main, backend=backend, backend_options=options)
    assert seen == [True] * 20
    assert outcome() == (10, 0, 0)
    assert current_scope() is None
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore:Async generator.*was garbage collected:ResourceWarning")
async def test_an_async_generator_dropped_is_closed_by_its_event_loop(lingering, outcome):
    body, seen = lingering
    scope = await anext(body())
    gc.collect()
    with anyio.fail_after(5):
        while not scope.is_closed:
            await anyio.sleep(0.001)
    assert seen == [True, True]
    assert current_scope() is None
    assert outcome() == (1, 0, 0)


def test_a_generator_that_ignores_its_end_leaves_no_scope_behind(registry):
    resisting = [True]

    @measured("sync", registry=registry)
    def sync_body():
        try:
            yield current_scope()
        finally:
            yield

    @measured("async", registry=registry)
    async def async_body():
        try:
            yield current_scope()
        finally:
            while resisting:
                await pause()

    log = []
    with unraisable(log):
        for scope in (next(sync_body()), drive(anext(async_body()), None)):
            gc.collect()
            assert scope.is_closed
            assert current_scope() is None
        resisting.clear()
    assert {entry[1][:2] for entry in log} == {
        (RuntimeError, ("generator ignored GeneratorExit",)),
        (RuntimeError, ("async generator ignored GeneratorExit",)),
    }


@pytest.mark.anyio
async def test_what_a_call_leaves_running_is_late_work_of_its_scope():
    probe, proceed, done = Probe(), anyio.Event(), anyio.Event()

    async def background():
        await proceed.wait()
        bytes(N)
        done.set()

    @measured
    async def handler(tasks):
        probe()
        tasks.start_soon(background)

    async with anyio.create_task_group() as tasks:
        await handler(tasks)
        final = probe.scope.stats
        proceed.set()
        await done.wait()
        assert probe.scope.stats == final
        assert probe.scope.late_stats.bytes_allocated >= SIZE
    assert current_scope() is None
