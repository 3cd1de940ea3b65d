"""Processes that export metrics together."""

from __future__ import annotations

from children import output_of
from tracing import coverage_variables

COMMON = """
import gc, json, logging, os, sys, time, warnings
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from allocmeter import Registry
from allocmeter.integrations.prometheus import AllocmeterCollector, export_metrics
from scrapes import expected, samples_of, scraped, without_steps

warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside a thread is the point
NEVER = 3600  # seconds between updates
registry = Registry()
kept = []

def finish(name, times, size=5000):
    for _ in range(times):
        with registry.measure(name):
            kept.append(bytes(size))

class Together:
    def collect(self):
        clients = CollectorRegistry()
        multiprocess.MultiProcessCollector(clients)
        return clients.collect()

def together():
    return samples_of(scraped(Together()))

def count(name, samples=None):
    key = ("allocmeter_scope_allocated_bytes_count", name, None)
    return (samples or together()).get(key)

def fork(work):
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        sys.stdout.flush()
        os._exit(status)

def wait(*children):
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
"""


def run(code, directory, *, is_traced=True):
    """Run `code` after the common lines, insist that it ends well, and return what it printed.

    Args:
        code: Python source.
        directory: where the processes keep their metrics.
        is_traced: whether coverage is to measure it, and what it forks, if it measures this
            process.
    """
    variables = coverage_variables() if is_traced else {}
    return output_of(COMMON + code, PROMETHEUS_MULTIPROC_DIR=directory, **variables)
