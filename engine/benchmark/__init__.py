"""Targets × methods × seeds -> one table: what each method gains over a reference, over all targets; and the suites
that make the comparisons for it.
"""

from engine.benchmark.gains import as_document, tabulate_apart
from engine.benchmark.sittings import (
    agenda,
    device_sentence,
    results_folder,
    run_sittings,
    suite_command,
)
from engine.benchmark.suites import get_suite

__all__ = [
    "agenda",
    "as_document",
    "device_sentence",
    "get_suite",
    "results_folder",
    "run_sittings",
    "suite_command",
    "tabulate_apart",
]
