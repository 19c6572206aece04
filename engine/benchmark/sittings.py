"""A suite at work: one comparison after the other, and its file as soon as it is finished.

A file says by a fingerprint which definition it comes from: the runs, whose names are hashes of all that they are, and
the version of the recipe. `compared` in place of `engine.compare` keeps this room below the one that waits for runs.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import __version__
from engine.benchmark.pace import SuitePace
from engine.benchmark.suites import Suite, SuiteTask
from engine.devices import kind
from engine.errors import InvalidInputError, UnavailableError, WorkbenchError
from engine.files import canonical_hash, read_json, write_json
from engine.installation import FOLDER, bundled
from engine.jobs import load, status
from engine.methods import FIRST_RECIPE, RECIPE
from engine.predictions import write_predictions
from engine.progress import JobLines
from engine.results import read_result
from engine.review import open_task
from engine.runs import (
    LOCAL,
    RunSpec,
    enqueue,
    estimate_seconds,
    known_speed,
    load_comparison,
    place_of,
    plan,
    predictions_of,
    repeating_command,
)
from engine.runs.recorded import PREDICTIONS, SEED, comparisons_in
from engine.tasks import Task, is_own, task_names
from engine.tasks.catalogue import add_task_file
from engine.teachers import bundled_names as bundled_teachers
from engine.wording import listed
from engine.workspace import Workspace

RESULTS = bundled("results")
BUILT = bundled("build") / "out" / "tasks"  # where `python -m assets.build` puts tasks that do not ship
THREADS = 1  # of a CPU for each run, so that seconds and last digits do not depend on how many cores there are

Compare = Callable[..., dict[str, Any]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Sitting:
    """One task of a suite with one budget: the comparison of all methods and seeds, and the file that it goes to."""

    suite: Suite
    task: SuiteTask
    images: int
    device: str  # resolved
    engine: str
    specs: tuple[RunSpec, ...]
    path: Path

    @property
    def fingerprint(self) -> str:
        """Of the definition: the same for the same runs by the same version of the recipe."""
        return canonical_hash({"runs": sorted(spec.run_id for spec in self.specs), "recipe": RECIPE})

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.task.name}, {self.images:,} student images" if self.suite.curve else self.task.name

    def document(self) -> dict[str, Any] | None:
        """The comparison in its file, if it comes from this definition; None if there is none that does."""
        found = [one for one in _comparisons_of(self.path) if _fingerprint_of(one) == self.fingerprint]
        return found[0] if found else None

    def unfinished(self, workspace: Workspace) -> list[RunSpec]:
        """Those of its runs that are not done in this workspace."""
        return [spec for spec in self.specs if not _is_done(workspace, spec)]

    def seconds(self, workspace: Workspace) -> float | None:
        """About how long its unfinished runs take here; None where such a student never trained here."""
        total = 0.0
        for spec in self.unfinished(workspace):
            speed = known_speed(workspace, spec.recipe, spec.device)
            if speed is None:
                return None
            total += estimate_seconds(speed, spec.train)
        return total


@dataclass(frozen=True)
class Agenda:
    """The sittings of a suite in their order, and why a task has none."""

    sittings: tuple[Sitting, ...]
    failures: tuple[str, ...]


def results_folder(out: Path | None) -> Path:
    """Where files go: `out`, or the project's own results. Raises InvalidInputError where these cannot be written, as
    in an installed package.
    """
    if out is not None:
        return out
    if not (FOLDER / "pyproject.toml").is_file() or not os.access(RESULTS, os.W_OK):
        raise InvalidInputError(
            f"The results in {RESULTS} came with the program and are not written here: say with --out FOLDER where the "
            "files go."
        )
    return RESULTS


def agenda(workspace: Workspace, suite: Suite, out: Path, device: str | None = None, engine: str = LOCAL) -> Agenda:
    """What a suite comes to here, with files below `out`. device, engine: as `engine.compare` takes them.

    Raises UnavailableError if a task or a teacher is not there, with the command that makes it, before anything runs.
    """
    place, _ = place_of(workspace, engine, device)
    _require_built(workspace, suite)
    sittings, failures = list[Sitting](), list[str]()
    for wanted in suite.tasks:
        try:
            task = _task(workspace, wanted)
            path = out / wanted.folder / f"{wanted.name}.json"
            for images in suite.images:
                arguments = _arguments(suite, wanted, images, place, engine)
                specs = plan(workspace, task, suite.methods, suite.seeds, **arguments)
                sittings.append(Sitting(suite, wanted, images, place, engine, tuple(specs), path))
        except WorkbenchError as error:
            failures.append(f"{wanted.name}: {error}")
    return Agenda(tuple(sittings), tuple(failures))


def run_sittings(workspace: Workspace, sittings: Sequence[Sitting], compared: Compare, say: Say) -> list[str]:
    """Do one sitting after the other, and write each one's file when it is finished; what failed, a sentence each.

    One that fails leaves its file as it was, and the others go on. compared: `engine.compare`; an interrupt goes
    through as it goes through that.
    """
    failures = list[str]()
    unfinished = [spec for sitting in sittings for spec in sitting.unfinished(workspace)]
    for sitting in sittings:
        if sitting.engine != LOCAL:  # a cluster does them side by side, whichever is waited for first
            enqueue(workspace, sitting.unfinished(workspace), sitting.device, sitting.engine)
    pace = SuitePace({spec.run_id: spec.train.images for spec in unfinished}, say)
    for place, sitting in enumerate(sittings, start=1):
        say(f"{place} of {len(sittings)}: {sitting.name} -> {sitting.path}")
        try:
            if problem := _sit(workspace, sitting, compared, pace):
                failures.append(f"{sitting.name}: {problem}")
        except WorkbenchError as error:
            failures.append(f"{sitting.name}: {error}")
    return failures


def _arguments(suite: Suite, task: SuiteTask, images: int, device: str, engine: str) -> dict[str, Any]:
    """What `plan` and `engine.compare` are told of a sitting beside task, methods and seeds."""
    return {
        "labels_per_class": suite.labels_per_class,
        "teachers": bundled_teachers(),  # none of a user's own: the numbers are to be had elsewhere, too
        "device": device,
        "engine": engine,
        "threads": THREADS,
        "images": images,
        **({"size": task.size} if task.size else {}),
        **suite.settings,
    }


def _sit(workspace: Workspace, sitting: Sitting, compared: Compare, pace: SuitePace) -> str | None:
    """Do one sitting; what failed, or None."""
    _require_recipe(workspace, sitting)
    suite, lines = sitting.suite, JobLines(len(sitting.specs))

    def watch(*now: Any) -> None:
        lines(*now)
        pace(*now)

    arguments = _arguments(suite, sitting.task, sitting.images, sitting.device, sitting.engine)
    document = compared(workspace, sitting.task.name, suite.methods, seeds=suite.seeds, progress=watch, **arguments)
    if failed := document["failed"]:
        return "; ".join(f"{one['run']} is {one['state']}: {one['message']}" for one in failed)
    if sitting.task.predictions:
        _write_predictions(workspace, sitting)
    whole = {**document, "command": _command(workspace, sitting, document), "suite": _about(sitting)}
    write_json(sitting.path, _with_others(sitting, whole) if suite.curve else whole)
    return None


def _about(sitting: Sitting) -> dict[str, Any]:
    suite = sitting.suite
    return {
        "name": suite.key,
        "fingerprint": sitting.fingerprint,
        "recipe": RECIPE,
        "version": __version__,
        "methods": list(suite.methods),
        "seeds": list(suite.seeds),
        "images": sitting.images,
    }


def _with_others(sitting: Sitting, document: Mapping[str, Any]) -> dict[str, Any]:
    """The file of a curve: this comparison, and those of other budgets that the file has already."""
    others = [one for one in _comparisons_of(sitting.path) if one["suite"]["images"] != sitting.images]
    whole = sorted([*others, document], key=lambda one: int(one["suite"]["images"]))
    return {"task": sitting.task.name, "suite": sitting.suite.key, "comparisons": whole}


def _command(workspace: Workspace, sitting: Sitting, document: Mapping[str, Any]) -> str:
    """The command that gives these runs: of the one comparison where a short one does, else of the suite."""
    comparison = load_comparison(workspace, document["comparison"])
    found = repeating_command(workspace, open_task(workspace, sitting.task.name), comparison)
    return found or suite_command(sitting.suite, tasks=[sitting.task.name])


def suite_command(suite: Suite, **options: Any) -> str:
    """The command line of a suite with these options; a list is written with commas, True as the option alone."""
    said = ["python -m engine benchmark --suite", suite.key]
    for name, value in options.items():
        if value is None or value is False:
            continue
        said.append(f"--{name}")
        if value is not True:
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            said.append(shlex.quote(text))
    return " ".join(said)


def _write_predictions(workspace: Workspace, sitting: Sitting) -> None:
    """What the students of seed 0 say of the test images, where Results looks for it; before the comparison's file, so
    that a kill between the two is seen by the fingerprint.
    """
    for spec in sitting.specs:
        found = predictions_of(workspace, spec.run_id) if spec.seed == SEED else None
        if found is not None:
            folder = sitting.path.parent / PREDICTIONS / sitting.task.name
            write_predictions(folder / f"{spec.method}.parquet", found)


def _comparisons_of(path: Path) -> list[dict[str, Any]]:
    """The comparisons in a file that come from a suite; none where it is not there or cannot be read: it is made
    anew.
    """
    if not path.exists():
        return []
    try:
        found = comparisons_in(read_json(path))
    except WorkbenchError:
        return []
    return [one for one in found if _fingerprint_of(one) is not None and "images" in one["suite"]]


def _fingerprint_of(document: Any) -> str | None:
    about = document.get("suite") if isinstance(document, Mapping) else None
    return about.get("fingerprint") if isinstance(about, Mapping) else None


def _is_done(workspace: Workspace, spec: RunSpec) -> bool:
    folder = workspace.runs / spec.run_id
    try:
        return folder.exists() and status(load(folder)).state == "done"
    except WorkbenchError:  # it is damaged: its own comparison says so, and the others go on
        return False


def _require_recipe(workspace: Workspace, sitting: Sitting) -> None:
    """Raises InvalidInputError for a run of the same name that another version of the recipe did here."""
    for spec in sitting.specs:
        if not _is_done(workspace, spec):
            continue
        made_by = read_result(workspace.runs / spec.run_id).versions.get("recipe", FIRST_RECIPE)
        if made_by != RECIPE:
            raise InvalidInputError(
                f"Run {spec.run_id} was made by version {made_by} of the recipe, and this is version {RECIPE}: begin "
                "in a new workspace (WORKBENCH_HOME)."
            )


def _require_built(workspace: Workspace, suite: Suite) -> None:
    """Raises UnavailableError for tasks and teachers that have to be built first."""
    missing: dict[str, list[str]] = {}
    there = task_names(workspace)
    for task in suite.tasks:
        if task.built_by and task.name not in there and not (BUILT / f"{task.name}.parquet").is_file():
            missing.setdefault(task.built_by, []).append(task.name)
    if missing:
        words = [f"python -m assets.build {verb}" for verb in missing]
        names = [name for found in missing.values() for name in found]
        raise UnavailableError(
            f"{'Task' if len(names) == 1 else 'Tasks'} {listed(names)} of suite {suite.key!r} "
            f"{'is' if len(names) == 1 else 'are'} not built: run {listed(words)} first, or name others with --tasks."
        )
    for task in suite.tasks:
        if task.teacher and task.teacher not in bundled_teachers():
            raise UnavailableError(
                f"Task {task.name} needs the teacher {task.teacher}: run python -m assets.build teachers "
                f"{task.teacher}, put its two files into assets/teachers, or leave the task out with --tasks."
            )


def _task(workspace: Workspace, wanted: SuiteTask) -> Task:
    """The task, put into the workspace if it is built and not there yet. Raises InvalidInputError for another one of
    its name.
    """
    path = BUILT / f"{wanted.name}.parquet"
    if wanted.built_by and wanted.name not in task_names(workspace):
        add_task_file(workspace, path)
    task = open_task(workspace, wanted.name)
    built = read_json(path.with_suffix(".json")).get("sha256") if wanted.built_by and path.exists() else None
    if is_own(task) or (built is not None and task.record.origin != built):
        raise InvalidInputError(
            f"The task {wanted.name!r} of this workspace is not the one of the suite: take a new workspace "
            "(WORKBENCH_HOME)."
        )
    return task


def device_sentence(device: str) -> str:
    """On what all runs of a suite are done."""
    return f"{device}, {THREADS} thread a run" if kind(device) == "cpu" else device
