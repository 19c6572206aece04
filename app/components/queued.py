"""What a waiting job waits for, in words: which work comes first, and about how long that takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from app import state
from app.components import wording
from app.components.escaping import escape
from app.components.methods import title
from engine import devices, runs
from engine.errors import WorkbenchError
from engine.jobs import ANY_CARD, Job, Status, is_held, works_in

NAMED = 2  # jobs that are named; more are counted


Line = Sequence[tuple[Job, Status]]  # as `runs.line` gives it


def waits_for(job: Job, line: Line, beside: Collection[str] = ()) -> str:
    """What `job`, which stands in `line`, waits for, as Markdown: "waits for a map of Birds (running), about 20 s".
    beside: names of jobs that the reader has before them; they are counted, not named.
    """
    place = next((i for i, (other, _) in enumerate(line) if other.folder == job.folder), 0)
    if is_held(state.workspace(), job.lane):
        return "waits until the queue goes on: it is paused"
    first, lanes = line[:place], runs.cards_of(job)
    if len(first) < lanes:
        return "begins next"
    mine = [pair for pair in first if state.workspace().path in pair[0].folder.parents]
    others = [pair for pair in mine if pair[0].id not in beside]
    said = [f"{name(other)}{_running(other, now)}" for other, now in others[:NAMED]]
    if len(others) > NAMED:
        said.append(wording.count(len(others) - NAMED, "other job"))
    if len(mine) > len(others):
        said.append(f"{wording.count(len(mine) - len(others), 'run')} of these")
    if len(first) > len(mine):  # of which nothing more is said here: they are not this visitor's
        said.append(f"{wording.count(len(first) - len(mine), 'job')} of other visitors")
    left = runs.seconds_until_free(first, lanes)
    how_long = f"about {wording.duration(left)}" if left is not None else "how long is not known yet"
    in_line = f"is number {place + 1} in the line, " if len(first) > len(mine) else ""
    return f"{in_line}waits for {wording.listed(said)}, {how_long}"


def name(job: Job) -> str:
    """What a job does, as Markdown, such as "the ranking of Birds"."""
    said = _NAMES.get(job.kind)
    return said(job.spec) if said else escape(job.id)


def _running(job: Job, now: Status) -> str:
    """That a job runs, and on which of several cards."""
    if now.state != "running":
        return ""
    kind, _, card = works_in(job, now).partition(":")
    return f" (running on card {card})" if kind == ANY_CARD and len(devices.cards()) > 1 else " (running)"


def task_title(name: str) -> str:
    """A task's title as Markdown; of one that cannot be opened, its name."""
    try:
        return escape(state.open_labels(name).record.title)
    except WorkbenchError:
        return escape(name)


def _of_task(what: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda spec: f"{what} of {task_title(str(spec.get('task', '')))}"


def _run(spec: Mapping[str, Any]) -> str:
    what = f"{escape(title(str(spec.get('method', ''))))}, seed {spec.get('seed')},"
    return _of_task(what)(spec)


_NAMES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    runs.KIND: _run,
    "extraction": _of_task("the ranking"),
    "look": _of_task("the ranking"),  # version 0.1
    "panel": _of_task("the intervals of the ranking"),
    "predictions": _of_task("predictions"),
    "map": _of_task("a map"),
    "student-maps": _of_task("the maps of a student"),
    "suspects": _of_task("suspected wrong labels"),
    "formats": _of_task("the formats of a student"),
    "predict": _of_task("predictions with a student"),
    "speed": lambda spec: "the measurement for an estimate",
    "import": lambda spec: f"the import of {escape(str(spec.get('title') or spec.get('name') or 'images'))}",
    "add-hub": lambda spec: f"adding the teacher {escape(str(spec.get('name', '')))}",
    "add-checkpoint": lambda spec: f"adding the teacher in {escape(str(spec.get('file_name', 'a file')))}",
    "add-outputs": lambda spec: f"adding the teacher in {escape(str(spec.get('file_name', 'a table')))}",
}
