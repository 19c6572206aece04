"""The public verbs, which `import engine` gives a notebook and the command line calls: one function each.

What they answer with is what `--json` prints. Progress goes to standard error; `progress=False` keeps it quiet.
"""

from __future__ import annotations

import operator
import os
import reprlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat

import pyarrow as pa

from engine import jobs
from engine.delivery import DEFAULT, UNSURE, Predicting, export_student, finished_run, ready_student
from engine.delivery.prediction_rows import written_to
from engine.devices import kind, resolve
from engine.errors import InvalidInputError
from engine.features.extraction import LOADING
from engine.files import expanded, make_folder
from engine.intake import import_images as imported
from engine.intake import request_for
from engine.methods import preselected
from engine.progress import JobLines, ProgressLine
from engine.records import as_value
from engine.results import read_result
from engine.review import open_task
from engine.runs import (
    DEFAULT_METRIC,
    LOCAL,
    enqueue,
    finishing_spec,
    place_of,
    plan,
    read_runs,
    read_spec_file,
    request_finished,
    spec_from_file,
    start,
    thread_of,
    what_to_finish,
)
from engine.runs import as_document as comparison_document
from engine.runs.panel import ALL, SCORING, teacher_panel
from engine.runs.panel import as_document as panel_document
from engine.tasks import ALL as ALL_LABELS
from engine.tasks import Budget, Draw, Task
from engine.tasks import labels_per_class as in_numbers
from engine.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


def open_workspace(folder: str | Path | None = None) -> Workspace:
    """The workspace in a folder, which is made if there is none; without one that of `WORKBENCH_HOME`.

    Raises StorageError if it cannot be written, InvalidInputError if `folder` is no path.
    """
    workspace = Workspace.from_environment()
    if folder is not None:
        workspace = replace(workspace, path=expanded(_path("folder", folder)).absolute())
    make_folder(workspace.path)
    return workspace


def import_images(
    workspace: Workspace, source: str | Path, *, name: str = "", title: str = "", progress: bool = True, **wanted: Any
) -> Task:
    """Make a task of a folder, an archive, a table, or "torchvision:<name>".

    name: of the task; made from the source if not given. wanted: any other field of `engine.intake.ImportRequest`.
    Raises WorkbenchError with what is wrong with the source, UnknownNameError or InvalidInputError for an option that
    does not exist or cannot be, BusyError while another process does the same import.
    """
    from_where = os.fspath(source) if isinstance(source, os.PathLike) else _text("source", source)
    request = request_for(from_where, title=_text("title", title), name=_text("name", name), **wanted)
    return imported(_opened(workspace), request, progress=ProgressLine("images") if progress else _quiet)


def rank(
    workspace: Workspace,
    task: str,
    *,
    metric: str = DEFAULT_METRIC,
    labels_per_class: Budget | None = None,
    seed: int = Draw.seed,
    teachers: Sequence[str] | None = None,
    resamples: int = 0,
    device: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """The teachers by their similarity to a task: under "ranking", most similar first; under "metrics" for "all".

    task: its name. metric: its key, or "all". labels_per_class and seed: the draw of labels that is ranked with,
    of at most 2,000 of them; a class that has fewer gives all it has, "all" is every label, and None is all of a task
    of your own and 5 of a bundled one. teachers: names; None = all. resamples: draws of half the labels, for
    intervals; 0 = none. device: "auto", "cuda" (any card), "cuda:1" (that one), "mps" or "cpu"; None = the
    best there is.
    Raises UnknownNameError, InvalidInputError, DamagedFileError or StorageError.
    """
    opened = open_task(_opened(workspace), _text("task", task))
    teachers = None if teachers is None else _texts("teachers", teachers)
    found = teacher_panel(
        workspace,
        opened,
        metrics=None if metric == ALL else [_text("metric", metric)],
        draw=Draw(in_numbers(opened, _labels(labels_per_class)), _whole("seed", seed)),
        teachers=teachers,
        resamples=_whole("resamples", resamples),
        device=resolve(device),
        progress=ProgressLine("images × teachers", {LOADING: "teachers", SCORING: "scorings"}) if progress else _quiet,
    )
    return panel_document(workspace, found, opened, teachers)


def compare(
    workspace: Workspace,
    task: str,
    methods: Sequence[str] | None = None,
    *,
    seeds: Sequence[int] = (0,),
    labels_per_class: Budget | None = None,
    metric: str = DEFAULT_METRIC,
    teachers: Sequence[str] | None = None,
    device: str | None = None,
    engine: str = LOCAL,
    progress: bool | jobs.OnChange = True,
    **settings: Any,
) -> dict[str, Any]:
    """Train students with several methods, and wait for them; accuracies, 0 to 1, are under "means" and "results".

    methods: keys, as `python -m engine methods` lists them; None = those that the Distill page chooses. seeds: whole
    numbers from 0 up, each of which draws its own labels. labels_per_class, metric, teachers, device: as `rank` takes
    them. engine: where the runs are done, "local" (this machine), "slurm" or "ray". settings: of training, such as
    images (the budget: student images with gradient), architecture (timm's name), size (pixels), and threads of a CPU.
    progress: True prints it, a function is told of each change of a run. Runs that did not end well are under "failed".
    An interrupt cancels them; the same call resumes what is not done.
    Raises UnknownNameError or InvalidInputError before anything runs, UnavailableError if a cluster does not answer,
    StorageError.
    """
    opened = open_task(_opened(workspace), _text("task", task))
    chosen = preselected() if methods is None else _texts("methods", methods)
    specs = plan(
        workspace,
        opened,
        chosen,
        _wholes("seeds", seeds),
        labels_per_class=_labels(labels_per_class),
        device=device,
        engine=_text("engine", engine),
        metric=_text("metric", metric),
        teachers=None if teachers is None else _texts("teachers", teachers),
        **settings,
    )
    place, _ = place_of(workspace, engine, device)
    comparison = start(workspace, specs, place, engine)
    found = [jobs.load(workspace.runs / run) for run in comparison.runs]
    failed = _wait(workspace, found, place, engine, progress=progress)
    found_runs = read_runs(workspace, comparison)
    failed += [{"run": one.run, "state": "lost", "message": one.problem} for one in found_runs.lost]
    return {**comparison_document(comparison, found_runs.results), "failed": failed}


def finish(
    workspace: Workspace,
    named: str,
    method: str | None = None,
    *,
    device: str | None = None,
    progress: bool = True,
    **settings: Any,
) -> dict[str, Any]:
    """Train the student that goes to work, on all images and labels of a task, held-out ones included; its result.

    It has no held-out accuracy of its own: under "quoted" is that of its method in the comparison. named: a run, or a
    comparison or a task, which need a method as well. device, settings: as `compare` takes them; unless they are given,
    those of the comparison. An interrupt cancels it; the same call goes on with it.
    Raises UnknownNameError or InvalidInputError before anything runs, InvalidInputError as well if the run fails,
    StorageError.
    """
    task, key, comparison = what_to_finish(_opened(workspace), _text("named", named), method)
    place = resolve(device)
    spec = finishing_spec(workspace, open_task(workspace, task), key, comparison=comparison, device=place, **settings)
    job = request_finished(workspace, spec, place)
    if failed := _wait(workspace, [job], place, progress=progress):
        raise InvalidInputError(f"Run {job.id} is {failed[0]['state']}: {failed[0]['message']}")
    return {**as_value(read_result(job.folder)), "run": job.id}


def run(
    workspace: Workspace, source: str | Path | dict[str, Any], *, device: str | None = None, progress: bool = True
) -> dict[str, Any]:
    """Train one student as a spec says, and wait for it; its result.

    source: a JSON file, or what stands in one: "task" and "method", and if wanted "seed", "labels_per_class", "metric",
    "teachers", "alpha", "device" and any field of training or of the method. device: instead of the spec's. An
    interrupt cancels it; the same call goes on with it.
    Raises UnknownNameError or InvalidInputError before anything runs, InvalidInputError as well if the run fails,
    StorageError.
    """
    wanted = source if isinstance(source, dict) else read_spec_file(expanded(_path("source", source)))
    found, place = spec_from_file(_opened(workspace), wanted)
    place = resolve(device or place)
    [job] = enqueue(workspace, [found], place)
    if failed := _wait(workspace, [job], place, progress=progress):
        raise InvalidInputError(f"Run {job.id} is {failed[0]['state']}: {failed[0]['message']}")
    return {**as_value(read_result(job.folder)), "run": job.id}


def _wait(
    workspace: Workspace,
    waited: Sequence[jobs.Job],
    place: str,
    engine: str = LOCAL,
    *,
    progress: bool | jobs.OnChange,
) -> list[dict[str, Any]]:
    """Have an engine work off its queue until these jobs have ended; those that did not end well."""
    told = JobLines(len(waited)) if progress is True else progress or None
    queue = thread_of(workspace, engine, place, until_empty=True, warm=kind(place) == "cuda")
    queue.start()
    try:
        jobs.wait(waited, told, stop=queue.ended, patience=queue.patience)
    except KeyboardInterrupt:
        for job in waited:
            jobs.request_cancel(job)
        raise
    finally:
        queue.join(queue.clears_within)
        queue.stop()
        queue.join(5)
    if queue.error is not None:
        raise queue.error
    return [
        {"run": job.id, "state": found.state, "message": found.message}
        for job in waited
        if (found := jobs.status(job)).state != "done"
    ]


def export(
    workspace: Workspace, run: str, out: str | Path, form: str = DEFAULT, *, anyway: bool = False, progress: bool = True
) -> list[Path]:
    """Write a finished run's student into the new folder `out`, and give the files.

    form: the key of an export format, such as "onnx"; what came of its check is said on standard error, and in its
    check.txt. anyway: also a format that loses more accuracy than it may. Raises UnknownNameError, InvalidInputError if
    the run has no student yet, `out` exists or the check fails, UnavailableError, DamagedFileError, StorageError.
    """
    folder = finished_run(_opened(workspace), _text("run", run))
    exported = export_student(folder, _path("out", out), _text("form", form), anyway=anyway)
    if progress and exported.check:
        print(exported.check, file=sys.stderr)
    return exported.files


def predict(
    workspace: Workspace,
    run: str,
    source: str | Path,
    *,
    csv: str | Path | None = None,
    parquet: str | Path | None = None,
    unsure: float = UNSURE,
    device: str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """What a finished run's student says of images: a row an image, with the columns that
    `engine.delivery.prediction_rows` explains.

    source: a folder, an archive, a table that names images, or one image. csv, parquet: files to write the rows to as
    well. unsure: a probability below it is marked, 0 to 1. device: as `rank` takes it. An image that cannot be read
    is a row with a `problem`.
    Raises UnknownNameError, InvalidInputError if the run has no student yet or there are no images, DamagedFileError,
    StorageError; the files are then as they were.
    """
    place, below = str(expanded(_path("source", source)).absolute()), _number("unsure", unsure)
    files = [None if name is None else _path(what, name) for what, name in (("csv", csv), ("parquet", parquet))]
    student = ready_student(_opened(workspace), _text("run", run), device)
    say = ProgressLine("images") if progress else _quiet
    work = Predicting(workspace, student, place, unsure=below, progress=say)
    found = []
    with written_to(*files) as append:
        for piece in work.pieces():
            append(piece.rows)
            found.append(piece.rows)
    table: pd.DataFrame = pa.concat_tables(found).to_pandas()
    return table


def _quiet(done: int, total: int, stage: str) -> None:
    """Progress that nobody wants to see."""


def _opened(workspace: object) -> Workspace:
    if not isinstance(workspace, Workspace):
        raise _refused("workspace", workspace, "what open_workspace gives")
    return workspace


def _path(name: str, value: object) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise _refused(name, value, "a path")
    return Path(value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _refused(name, value, "a text")
    return value


def _texts(name: str, values: object) -> list[str]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise _refused(name, values, "a list of names")
    return [_text(name, value) for value in values]


def _labels(value: object) -> Budget | None:
    if value is None or value == ALL_LABELS:
        return value
    try:
        return operator.index(value)  # type: ignore[arg-type]  # what is no whole number raises, and is refused below
    except TypeError:
        raise _refused("labels_per_class", value, f'a whole number, or "{ALL_LABELS}"') from None


def _whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise _refused(name, value, "a whole number") from None


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool | str) or not isinstance(value, SupportsFloat):
        raise _refused(name, value, "a number")
    return float(value)


def _wholes(name: str, values: object) -> list[int]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise _refused(name, values, "a list of whole numbers")
    return [_whole(name, value) for value in values]


def _refused(name: str, value: object, wanted: str) -> InvalidInputError:
    return InvalidInputError(f"{name} is {reprlib.repr(value)}: pass {wanted}.")
