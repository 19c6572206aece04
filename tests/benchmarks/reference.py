"""Public programs for the same metrics, timed beside ours on the same arrays in one process.

`python -m tests.benchmarks.ranking --reference CHECKOUT ...` with checkouts of thuml/LogME and of
thuml/Transfer-Learning-Library (tllib), of which single files are run; whatever is not there is left out.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engine.similarity import METRICS, score


@dataclass(frozen=True)
class Public:
    """One public program."""

    title: str
    metric: str  # ours
    file: str  # within its checkout
    run: Callable[[ModuleType, dict[str, Any], np.ndarray], float]  # of the module, a teacher's arrays, the labels


PROGRAMS = (
    Public("LogME, fixed point", "logme", "LogME.py", lambda m, a, y: m.LogME().fit(a["features"], y)),
    Public("LogME, tllib", "logme", "tllib/ranking/logme.py", lambda m, a, y: m.log_maximum_evidence(a["features"], y)),
    Public("H-score, tllib", "h_score", "tllib/ranking/hscore.py", lambda m, a, y: m.h_score(a["features"], y)),
    Public(
        "LEEP, tllib",
        "leep",
        "tllib/ranking/leep.py",
        lambda m, a, y: m.log_expected_empirical_prediction(a["pseudo_labels"], y),
    ),
    Public(
        "NCE, tllib",
        "nce",
        "tllib/ranking/nce.py",
        lambda m, a, y: m.negative_conditional_entropy(a["pseudo_labels"].argmax(axis=1), y),
    ),
    Public(
        "TransRate, tllib", "transrate", "tllib/ranking/transrate.py", lambda m, a, y: m.transrate(a["features"], y)
    ),
)


def beside_public_code(
    checkouts: Sequence[Path], arrays: dict[str, Any], labels: np.ndarray, rounds: int
) -> dict[str, Any]:
    """For each program that is found: both values, and how many times our processor seconds it takes; in rounds that
    take turns, theirs and ours right after each other.
    """
    found = [(one, _load(path / one.file)) for one in PROGRAMS for path in checkouts if (path / one.file).is_file()]
    if not found:
        raise FileNotFoundError(
            f"None of {', '.join(one.file for one in PROGRAMS)} lies in {', '.join(map(str, checkouts))}: "
            "give checkouts of thuml/LogME or of thuml/Transfer-Learning-Library."
        )
    times: dict[str, list[tuple[float, float]]] = {one.title: [] for one, _ in found}
    values: dict[str, tuple[float, float]] = {}
    for number in range(rounds):
        for one, module in found:
            theirs, its_value = _processor_seconds(lambda one=one, module=module: one.run(module, arrays, labels))
            needed = {name: arrays[name] for name in METRICS[one.metric].needs if name in arrays}
            ours, our_value = _processor_seconds(
                lambda one=one, needed=needed: score(one.metric, labels=labels, **needed)
            )
            times[one.title].append((theirs, ours))
            values[one.title] = float(its_value), our_value
            print(f"round {number + 1}, {one.title}: {theirs:.2f} s and {ours:.2f} s", file=sys.stderr, flush=True)
    return {title: _summary(pairs, *values[title]) for title, pairs in times.items()}


def _summary(pairs: Sequence[tuple[float, float]], its_value: float, our_value: float) -> dict[str, Any]:
    ratios = sorted(theirs / ours for theirs, ours in pairs)
    return {
        "value": its_value,
        "our value": our_value,
        "processor_seconds": round(statistics.median(theirs for theirs, _ in pairs), 2),
        "our processor_seconds": round(statistics.median(ours for _, ours in pairs), 3),
        "theirs / ours": round(statistics.median(ratios), 2),
        "range": [round(ratios[0], 2), round(ratios[-1], 2)],
    }


def _processor_seconds(work: Callable[[], float]) -> tuple[float, float]:
    before = time.process_time()
    value = work()
    return time.process_time() - before, value


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"public_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
