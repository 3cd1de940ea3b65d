"""`AllocationProfiler` as a decorator."""

from __future__ import annotations

import inspect

import pytest

from allocmeter import AllocationProfiler
from operations import block, cost


def test_a_decorated_function_is_profiled_and_keeps_its_identity():
    profiler = AllocationProfiler()

    @profiler
    def operation(size: int, *, twice: bool = False) -> bytes:
        """Make a block."""
        return block(size * (1 + twice))

    assert operation(1000, twice=True) == block(2000)
    assert profiler.count == 1
    assert operation.__name__ == "operation"
    assert operation.__doc__ == "Make a block."
    assert list(inspect.signature(operation).parameters) == ["size", "twice"]
    assert not inspect.iscoroutinefunction(operation)


@pytest.mark.anyio
async def test_a_decorated_coroutine_function_stays_one_and_its_body_is_measured():
    profiler = AllocationProfiler()

    @profiler
    async def operation(size: int) -> bytes:
        return block(size)

    assert inspect.iscoroutinefunction(operation)
    assert await operation(10_000) == block()
    assert profiler.measurements[0].bytes_allocated >= cost(10_000)


@pytest.mark.anyio
async def test_methods_of_every_kind_can_be_decorated():
    profiler = AllocationProfiler()

    class Service:
        @profiler
        def method(self, size):
            return self, block(size)

        @profiler
        async def async_method(self, size):
            return self, block(size)

        @profiler
        @classmethod
        def above_class(cls, size):
            return cls, block(size)

        @classmethod
        @profiler
        def below_class(cls, size):
            return cls, block(size)

        @profiler
        @staticmethod
        async def above_static(size):
            return block(size)

        @staticmethod
        @profiler
        def below_static(size):
            return block(size)

    service = Service()
    assert service.method(5) == (service, block(5))
    assert await service.async_method(5) == (service, block(5))
    assert service.above_class(5) == Service.below_class(5) == (Service, block(5))
    assert await service.above_static(5) == Service.below_static(5) == block(5)
    assert profiler.count == 6


@pytest.mark.anyio
async def test_an_async_callable_object_can_be_decorated():
    class Handler:
        async def __call__(self, size):
            return block(size)

    profiler = AllocationProfiler()
    handler = profiler(Handler())
    assert inspect.iscoroutinefunction(handler)
    assert await handler(10) == block(10)
    assert profiler.count == 1


@pytest.mark.parametrize("thing", [5, "text", int])
def test_only_functions_can_be_decorated(thing):
    with pytest.raises(TypeError, match="profiled"):
        AllocationProfiler()(thing)
