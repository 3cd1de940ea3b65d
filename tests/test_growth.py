"""Growth of what the calls of a name retain: estimates, and what they say of leaks and caches."""

from __future__ import annotations

import random
from functools import lru_cache

import pytest

from allocmeter import Registry, verdict
from allocmeter.growth import retained_growth


def series(retained, calls=1024, step=8):
    return [(n, retained(n), n) for n in range(step, calls + 1, step)]


def test_a_steady_growth_is_given_exactly_with_no_doubt():
    growth = retained_growth(series(lambda n: 100 + 24 * n))
    assert (growth.bytes_per_1000_calls, growth.low, growth.high) == (24_000, 24_000, 24_000)
    assert growth.earlier == 24_000


def test_what_happened_in_the_first_half_does_not_count():
    growth = retained_growth(series(lambda n: 1000 * min(n, 512)))
    assert (growth.bytes_per_1000_calls, growth.high) == (0, 0)
    assert growth.earlier == 1_000_000


def test_a_single_large_step_moves_the_estimate_little():
    growth = retained_growth(series(lambda n: 10 * n + (1_000_000 if n > 700 else 0)))
    assert growth.low <= 10_000 <= growth.bytes_per_1000_calls < 100_000


def test_what_is_given_back_is_a_negative_growth():
    assert retained_growth(series(lambda n: 10_000_000 - 5 * n)).high == -5_000


def test_the_interval_contains_the_truth_and_is_wider_for_noisier_calls():
    rng = random.Random(7)
    quiet = retained_growth(series(lambda n: 100 * n + rng.randrange(500)))
    noisy = retained_growth(series(lambda n: 100 * n + rng.randrange(20_000)))
    for growth in (quiet, noisy):
        assert growth.low < 100_000 < growth.high
        assert growth.low < growth.bytes_per_1000_calls < growth.high
    assert noisy.high - noisy.low > 10 * (quiet.high - quiet.low)


@pytest.mark.parametrize("count", [0, 1, 15])
def test_too_few_samples_tell_nothing(count):
    assert retained_growth([(n, n, n) for n in range(1, count + 1)]) is None


def test_no_sample_comes_twice_and_the_distances_are_even_however_many_calls():
    from allocmeter._core.figures import read_retention

    registry = Registry()
    for _ in range(3_000):
        with registry.measure("x"):
            pass
    calls = [sample[0] for sample in read_retention(registry._aggregates["x"])]
    assert calls == list(range(32, 3_001, 32))


def traffic(seed):
    """2,000 requests to endpoints that keep memory for good and not for good."""
    rng = random.Random(seed)
    registry = Registry()
    capacity = rng.choice([50, 100, 200, 400, 800])
    keys = rng.choice([capacity, 2 * capacity, 5 * capacity])
    leaked, recent = [], {}

    @lru_cache(maxsize=capacity)
    def cached(_key):
        return bytes(rng.choice([500, 1000, 2000]))

    def work():
        return [bytes(rng.randrange(3000)) for _ in range(3)]

    for number in range(2_000):
        with registry.measure("leaks"):
            leaked.append(bytes(1024))
            work()
        with registry.measure("cache"):
            cached(rng.randrange(keys))
            work()
        with registry.measure("recent"):
            recent[number] = bytes(1024)
            recent.pop(number - capacity, None)
        with registry.measure("clean"):
            work()
    return registry.report(), leaked


@pytest.mark.exact
@pytest.mark.parametrize("seed", range(20))
def test_a_leak_is_told_from_a_cache_and_its_size_is_right(seed):
    found, leaked = traffic(seed)
    assert [row.name for row in found.rows if verdict(row).kind == "leaks"] == ["leaks"]
    truth = sum(block.__sizeof__() for block in leaked) + leaked.__sizeof__()
    each = found.row("leaks").retained_growth.bytes_per_1000_calls / 1000
    assert each == pytest.approx(truth / len(leaked), rel=0.05)


@pytest.mark.exact
def test_what_is_retained_stands_in_the_band_of_its_age():
    registry = Registry()
    with registry.measure("young"):
        block = bytes(1000)
    row = registry.row("young")
    assert row.retained_by_age == ((block.__sizeof__(), 1), (0, 0), (0, 0), (0, 0))
