"""Each kind of file of a workspace, damaged in each way, looked at with each page and each verb.

Nothing may end in an error of the program, no page may be lost, and the other tasks must be shown as before.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from engine.workspace import Workspace
from tests.faults.account import Account
from tests.faults.visits import PAGES, VERBS, Look, look
from tests.faults.ways import Way, ways
from tests.faults.workspace import (
    COMPARISON,
    OLD_COMPARISON,
    OLD_RUNS,
    STOPPED,
    STOPPED_COMPARISON,
    complete,
    copy,
    kinds,
    make,
)

# Verbs that read one kind of file of a workspace alone; the first of them starts a process, which takes seconds.
READ_ALONE = {
    "import": ("settings.json",),
    "benchmark": ("result.json",),
    "predict": ("student", "student.json", "likeness", "job.json, done"),
}
NEIGHBORS = ("birds", "cells", "scans")  # tasks that Start shows whatever has become of a file of another one


@dataclass
class Found:
    """How the looks at one kind of file ended."""

    cases: int = 0
    looks: int = 0
    named: int = 0  # cases in which some page or verb named the file
    errors: Counter[str] = field(default_factory=Counter)  # by page or verb
    lost: int = 0  # cases in which Start lacks a task that was not damaged
    examples: dict[str, str] = field(default_factory=dict)


def prepared(folder: Path) -> Workspace:
    """The workspace to be damaged, in `folder`."""
    home = make(folder)
    os.environ["WORKBENCH_HOME"] = str(home.path)
    complete(home)
    return home


def examined(home: Workspace, path: Path, way: Way, pages: list[str], verbs: list[str]) -> Iterator[Look]:
    """What pages and verbs say of a copy of `home` whose file `path` is damaged."""
    with tempfile.TemporaryDirectory(dir=home.path.parent) as folder:
        damaged = copy(home, Path(folder) / "home")
        way.damage(damaged.path / path)
        os.environ["WORKBENCH_HOME"] = str(damaged.path)
        comparison = STOPPED_COMPARISON if path.is_relative_to(STOPPED) else COMPARISON
        if any(path.is_relative_to(run) for run in OLD_RUNS):
            comparison = OLD_COMPARISON
        yield from look(damaged, pages, verbs, comparison)
        for closed in damaged.path.rglob("*"):
            if closed.is_dir():
                closed.chmod(0o700)


def campaign(only: list[str] | None = None) -> dict[str, Found]:
    """The whole campaign, or that of some kinds of files; prints a line for each kind."""
    found: dict[str, Found] = {}
    torch.set_num_threads(2)  # as when the runs were made: they are compared again under their own names
    with tempfile.TemporaryDirectory() as folder:
        home = prepared(Path(folder))
        for kind, path in kinds(home).items():
            if only and kind not in only:
                continue
            found[kind] = Found()
            verbs = [verb for verb in VERBS if kind in READ_ALONE.get(verb, (kind,))]
            for way in ways(home.path / path):
                if way.name == "closed" and os.geteuid() == 0:  # nothing is closed to root
                    continue
                _take_in(found[kind], path, way, list(examined(home, path, way, list(PAGES), verbs)))
            _print(kind, found[kind])
    return found


def _take_in(found: Found, path: Path, way: Way, looks: list[Look]) -> None:
    found.cases += 1
    found.looks += len(looks)
    found.named += any(path.name in one.text for one in looks)
    for one in looks:
        if one.error:
            found.errors[one.name] += 1
            found.examples.setdefault(one.name, f"{way.name}: {one.error}")
        if one.name == "start" and not path.is_relative_to("tasks/cells"):
            found.lost += any(name not in one.text for name in NEIGHBORS)


def _print(kind: str, found: Found) -> None:
    told = ", ".join(f"{name} {count}" for name, count in found.errors.items()) or "0"
    print(
        f"{kind}: {found.cases} cases, {found.looks} pages and verbs; program errors: {told}; "
        f"file named in {found.named} cases; other tasks lost in {found.lost}",
        flush=True,
    )
    for name, example in found.examples.items():
        print(f"  {name}, {example}", flush=True)


def account(only: list[str] | None = None) -> Account:
    """The campaign in figures; what is wrong: an error of the program, or another task that was taken along."""
    found = campaign(only)
    errors: Counter[str] = sum((one.errors for one in found.values()), Counter())
    figures = {
        "kinds of file": len(found),
        "damaged files": sum(one.cases for one in found.values()),
        "looks at a page or a verb": sum(one.looks for one in found.values()),
        "damaged files named by some page or verb": sum(one.named for one in found.values()),
        "pages dead beyond the damaged thing": sum(one.lost for one in found.values()),
        "tracebacks": errors.total(),
    }
    wrong = [f"{kind}: {name}, {said}" for kind, one in found.items() for name, said in one.examples.items()]
    wrong += [f"{kind}: Start lacks another task, {one.lost} times" for kind, one in found.items() if one.lost]
    return Account(figures, tuple(wrong))


if __name__ == "__main__":
    import sys

    print(*account(sys.argv[1:]).lines(), sep="\n")
