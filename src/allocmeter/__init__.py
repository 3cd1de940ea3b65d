"""Which task, request or endpoint of an async program allocates, peaks, retains or leaks memory.

    from allocmeter import measure, report

    async with measure("checkout") as m:
        await checkout(cart)
    print(m.stats, m.peak_bytes, m.retained_bytes)
    print(report())

Importing installs nothing; the first scope does.

PYTEST_DONT_REWRITE: pytest would rewrite the package of a plugin, and warn of one imported before.
"""

from typing import TYPE_CHECKING

from allocmeter._version import __version__ as __version__

if TYPE_CHECKING:
    from allocmeter.backend import backend_info as backend_info
    from allocmeter.backend import install as install
    from allocmeter.backend import is_installed as is_installed
    from allocmeter.backend import uninstall as uninstall
    from allocmeter.backend_state import BackendInfo as BackendInfo
    from allocmeter.comparison import ProfileComparison as ProfileComparison
    from allocmeter.decorator import measured as measured
    from allocmeter.errors import AllocmeterError as AllocmeterError
    from allocmeter.errors import BackendUnavailableError as BackendUnavailableError
    from allocmeter.errors import BudgetExceededError as BudgetExceededError
    from allocmeter.errors import HookError as HookError
    from allocmeter.errors import LeakError as LeakError
    from allocmeter.errors import ReportFormatError as ReportFormatError
    from allocmeter.histogram import AllocationHistogram as AllocationHistogram
    from allocmeter.histogram import HistogramBucket as HistogramBucket
    from allocmeter.leak_check import LeakCheck as LeakCheck
    from allocmeter.leaks import LeakDetector as LeakDetector
    from allocmeter.live_memory import MemoryPeak as MemoryPeak
    from allocmeter.peak import PeakMemoryTracker as PeakMemoryTracker
    from allocmeter.process import ProcessMemory as ProcessMemory
    from allocmeter.process import process_memory as process_memory
    from allocmeter.profiler import AllocationProfiler as AllocationProfiler
    from allocmeter.registry import Registry as Registry
    from allocmeter.registry import report as report
    from allocmeter.reports import Distribution as Distribution
    from allocmeter.reports import Report as Report
    from allocmeter.reports import ReportRow as ReportRow
    from allocmeter.scopes import detached as detached
    from allocmeter.scopes import measure as measure
    from allocmeter.stats import AllocationStats as AllocationStats
    from allocmeter.timeline import MemorySample as MemorySample
    from allocmeter.tracker import AllocationTracker as AllocationTracker
    from allocmeter.tracking import is_tracking as is_tracking
    from allocmeter.tracking import start_tracking as start_tracking
    from allocmeter.tracking import stop_tracking as stop_tracking
    from allocmeter.verdicts import Verdict as Verdict
    from allocmeter.verdicts import verdict as verdict

__all__ = [
    "AllocationHistogram",
    "AllocationProfiler",
    "AllocationStats",
    "AllocationTracker",
    "AllocmeterError",
    "BackendInfo",
    "BackendUnavailableError",
    "BudgetExceededError",
    "Distribution",
    "HistogramBucket",
    "HookError",
    "LeakCheck",
    "LeakDetector",
    "LeakError",
    "MemoryPeak",
    "MemorySample",
    "PeakMemoryTracker",
    "ProcessMemory",
    "ProfileComparison",
    "Registry",
    "Report",
    "ReportFormatError",
    "ReportRow",
    "Verdict",
    "__version__",
    "backend_info",
    "detached",
    "install",
    "is_installed",
    "is_tracking",
    "measure",
    "measured",
    "process_memory",
    "report",
    "start_tracking",
    "stop_tracking",
    "uninstall",
    "verdict",
]

# Loaded when first used. A tool that finds the package installed may import it in programs that
# never measure: pytest does, for the plugin. That must not cost them the loading of the library.
_LATER = {
    "backend_info": "backend",
    "install": "backend",
    "is_installed": "backend",
    "uninstall": "backend",
    "BackendInfo": "backend_state",
    "ProfileComparison": "comparison",
    "measured": "decorator",
    "AllocmeterError": "errors",
    "BackendUnavailableError": "errors",
    "BudgetExceededError": "errors",
    "HookError": "errors",
    "LeakError": "errors",
    "ReportFormatError": "errors",
    "AllocationHistogram": "histogram",
    "HistogramBucket": "histogram",
    "LeakCheck": "leak_check",
    "LeakDetector": "leaks",
    "MemoryPeak": "live_memory",
    "PeakMemoryTracker": "peak",
    "ProcessMemory": "process",
    "process_memory": "process",
    "AllocationProfiler": "profiler",
    "Registry": "registry",
    "report": "registry",
    "Distribution": "reports",
    "Report": "reports",
    "ReportRow": "reports",
    "detached": "scopes",
    "measure": "scopes",
    "AllocationStats": "stats",
    "MemorySample": "timeline",
    "AllocationTracker": "tracker",
    "is_tracking": "tracking",
    "start_tracking": "tracking",
    "stop_tracking": "tracking",
    "Verdict": "verdicts",
    "verdict": "verdicts",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from allocmeter._core.own import OWN

    with OWN:
        value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
