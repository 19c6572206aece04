"""The command that repeats a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.errors import WorkbenchError
from engine.runs.comparison import Comparison, read_runs
from engine.runs.spec import RunSpec, plan
from engine.tasks import Task
from engine.workspace import Workspace


def repeating_command(workspace: Workspace, task: Task, comparison: Comparison) -> str | None:
    """The command line that gives these very runs; None where no short one does, as with weights by hand, or where the
    task has changed since.
    """
    specs = [entry.spec for entry in read_runs(workspace, comparison).entries]
    if len(specs) != len(comparison.runs):
        return None
    first = specs[0]
    methods, seeds = _distinct(spec.method for spec in specs), _distinct(spec.seed for spec in specs)
    train = {name: getattr(first.train, name) for name in ("images", "size", "architecture", "start")}
    try:
        again = plan(
            workspace,
            task,
            methods,
            seeds,
            labels_per_class=first.labels_per_class,
            device=first.device,
            metric=first.metric,
            **train,
        )
    except WorkbenchError:
        return None
    same = {replace(spec, threads=first.threads).run_id for spec in again}  # how many there are decides last bits alone
    if same != set(comparison.runs):
        return None
    return _in_words(first, methods, seeds, train)


def _in_words(first: RunSpec, methods: Sequence[str], seeds: Sequence[int], train: Mapping[str, Any]) -> str:
    options = {
        "task": first.task,
        "methods": ",".join(methods),
        "seeds": ",".join(map(str, seeds)),
        "labels-per-class": first.labels_per_class,
        "metric": first.metric,
        "device": first.device,
        **train,
    }
    return "python -m engine compare " + " ".join(
        f"--{name} {shlex.quote(str(value))}" for name, value in options.items()
    )


def _distinct(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))
