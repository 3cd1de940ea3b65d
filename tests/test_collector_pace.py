"""When the garbage collector runs is up to what the program makes: what we make does not count."""

from __future__ import annotations

import contextvars
import gc
import os
import threading

import pytest

from allocmeter import install, measure
from allocmeter._core import collector

pytestmark = pytest.mark.exact


@pytest.fixture(autouse=True)
def threshold():
    install()
    assert collector.is_watching()  # this interpreter is understood
    before = gc.get_threshold()
    gc.collect()
    yield gc.set_threshold
    gc.set_threshold(*before)


@pytest.fixture
def collections():
    generations = []

    def note(phase, info):
        if phase == "start":
            generations.append(info["generation"])

    gc.callbacks.insert(1, note)
    yield generations
    gc.callbacks.remove(note)


def test_scopes_come_and_go_uncounted():
    gc.disable()
    try:
        contexts = [contextvars.copy_context() for _ in range(100)]
        counts = [gc.get_count()[0]]
        scopes = [measure("counted") for _ in contexts]
        counts.append(gc.get_count()[0])
        for context, scope in zip(contexts, scopes, strict=True):
            context.run(scope.__enter__)
        counts.append(gc.get_count()[0])
        for context, scope in zip(contexts, scopes, strict=True):
            context.run(scope.__exit__, None, None, None)
        counts.append(gc.get_count()[0])
        del scope, scopes
        counts.append(gc.get_count()[0])
    finally:
        gc.enable()
    # The list of scopes is one, and the two iterations leave a tuple each to the free list.
    assert max(counts) - min(counts) <= 3, counts


def test_a_thousand_open_scopes_bring_no_collection(threshold, collections):
    threshold(50)
    scopes = [measure() for _ in range(1000)]
    for scope in scopes:
        scope.__enter__()
    for scope in reversed(scopes):
        scope.__exit__(None, None, None)
    del scope, scopes
    assert collections == []


def test_what_the_program_makes_brings_collections_as_before(threshold, collections):
    threshold(50, 1000, 1000)
    with measure():
        kept = [set() for _ in range(1000)]
    assert 18 <= len(collections) <= 20
    assert len(kept) == 1000


def test_without_trust_in_the_count_scopes_bring_collections(threshold, collections):
    threshold(50)
    collector.unwatch()
    try:
        scopes = [measure() for _ in range(1000)]
        assert len(collections) >= 18
    finally:
        collector.watch()
    del scopes


class Asking(ExceptionGroup):
    """What is done to tell whether it is a cancellation, an own section does."""

    asked = staticmethod(lambda: None)

    @property
    def exceptions(self):
        type(self).asked()
        return super().exceptions


def left_by(group_class):
    scope = measure("asking")
    with pytest.raises(group_class), scope:
        raise group_class("of the program", [ValueError()])
    return scope


def test_a_collection_within_an_own_section_is_not_undone():
    counts = []

    class Collecting(Asking):
        @staticmethod
        def asked():
            gc.collect()
            counts.append(gc.get_count()[0])

    kept = [set() for _ in range(100)]
    left_by(Collecting)
    assert counts[0] < 50
    assert 0 <= gc.get_count()[0] < 100
    assert kept


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_forked_in_an_own_section_collects(threshold, collections):
    forked = []

    class Forking(Asking):
        @staticmethod
        def asked():
            forked.append(os.fork())

    threshold(50)
    try:
        left_by(Forking)
        kept = [set() for _ in range(1000)]
        with measure():
            kept += [set() for _ in range(1000)]
        collected = len(collections) >= 30 and gc.get_count()[0] >= 0
    finally:
        if forked == [0]:
            os._exit(0 if collected else 1)
    assert collected
    assert os.waitstatus_to_exitcode(os.waitpid(forked[0], 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_forked_while_another_thread_is_in_an_own_section_collects(threshold, collections):
    inside, forked = threading.Event(), threading.Event()

    class Waiting(Asking):
        @staticmethod
        def asked():
            inside.set()
            assert forked.wait(60)

    threshold(50)
    other = threading.Thread(target=left_by, args=(Waiting,))
    other.start()
    assert inside.wait(60)
    child = os.fork()
    if child == 0:
        collected = False
        try:
            kept = [set() for _ in range(1000)]
            with measure():
                kept += [set() for _ in range(1000)]
            collected = len(collections) >= 30 and gc.get_count()[0] >= 0
        finally:
            os._exit(0 if collected else 1)
    forked.set()
    other.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
