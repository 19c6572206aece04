"""The public verbs, which `import engine` gives a notebook and the command line calls: one function each.

What they answer with is what `--json` prints. Progress goes to standard error; `progress=False` keeps it quiet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import jobs
from engine.delivery import DEFAULT, export_student
from engine.devices import resolve
from engine.errors import UnknownNameError
from engine.features.extraction import LOADING
from engine.files import make_folder
from engine.intake import import_images as imported
from engine.intake import request_for
from engine.methods import preselected
from engine.progress import JobLines, ProgressLine
from engine.review import open_task
from engine.runs import DEFAULT_METRIC, QueueThread, finished_results, lost_runs, plan, start
from engine.runs import as_document as comparison_document
from engine.runs.panel import ALL, SCORING, teacher_panel
from engine.runs.panel import as_document as panel_document
from engine.tasks import Draw, Task
from engine.workspace import Workspace


def open_workspace(folder: str | Path | None = None) -> Workspace:
    """The workspace in a folder, which is made if there is none; without one that of `WORKBENCH_HOME`.

    Raises StorageError if it cannot be written.
    """
    workspace = Workspace.from_environment()
    if folder is not None:
        workspace = replace(workspace, path=Path(folder).expanduser().absolute())
    make_folder(workspace.path)
    return workspace


def import_images(
    workspace: Workspace, source: str | Path, *, name: str = "", title: str = "", progress: bool = True, **wanted: Any
) -> Task:
    """Make a task of a folder, an archive, a table, or "torchvision:<name>".

    name: of the task; made from the source if not given. wanted: any other field of `engine.intake.ImportRequest`.
    Raises WorkbenchError with what is wrong with the source, BusyError while another process does the same import.
    """
    request = request_for(str(source), title=title, name=name, **wanted)
    return imported(workspace, request, progress=ProgressLine("images") if progress else _quiet)


def rank(
    workspace: Workspace,
    task: str,
    *,
    metric: str = DEFAULT_METRIC,
    labels_per_class: int = Draw.labels_per_class,
    seed: int = Draw.seed,
    teachers: Sequence[str] | None = None,
    resamples: int = 0,
    device: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """The teachers by their similarity to a task: under "ranking", most similar first; under "metrics" for "all".

    teachers: names; None = all. resamples: draws of half the labels, for intervals. device: None = the best there is.
    Raises UnknownNameError, InvalidInputError, DamagedFileError or StorageError.
    """
    opened = open_task(workspace, task)
    found = teacher_panel(
        workspace,
        opened,
        metrics=None if metric == ALL else [metric],
        draw=Draw(labels_per_class, seed),
        teachers=teachers,
        resamples=resamples,
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
    labels_per_class: int = Draw.labels_per_class,
    metric: str = DEFAULT_METRIC,
    teachers: Sequence[str] | None = None,
    device: str | None = None,
    progress: bool = True,
    **settings: Any,
) -> dict[str, Any]:
    """Train students with several methods, and wait for them; accuracies, 0 to 1, are under "means" and "results".

    settings: of training, such as images (the budget), architecture, size. Runs that did not end well are under
    "failed". An interrupt cancels them; the same call resumes what is not done.
    Raises UnknownNameError or InvalidInputError before anything runs, StorageError.
    """
    opened = open_task(workspace, task)
    chosen = preselected() if methods is None else list(methods)
    specs = plan(
        workspace,
        opened,
        chosen,
        list(seeds),
        labels_per_class=labels_per_class,
        device=device,
        metric=metric,
        teachers=teachers,
        **settings,
    )
    comparison = start(workspace, specs)
    waited = [jobs.load(workspace.runs / run) for run in comparison.runs]
    queue = QueueThread(workspace, specs[0].device, until_empty=True)
    queue.start()
    try:
        ended = jobs.wait(waited, JobLines(len(waited)) if progress else lambda job, now: None)
    except KeyboardInterrupt:
        for job in waited:
            jobs.request_cancel(job)
        raise
    finally:
        queue.stop()
        queue.join(5)
    if queue.error is not None:
        raise queue.error
    failed = [
        {"run": job.id, "state": found.state, "message": found.message}
        for job, found in ended.items()
        if found.state != "done"
    ]
    failed += [{"run": one.run, "state": "lost", "message": one.problem} for one in lost_runs(workspace, comparison)]
    return {**comparison_document(comparison, finished_results(workspace, comparison)), "failed": failed}


def export(workspace: Workspace, run: str, out: str | Path, form: str = DEFAULT) -> list[Path]:
    """Write a finished run's student into the new folder `out`, and give the files.

    form: a name of `engine.delivery.FORMATS`. Raises UnknownNameError, InvalidInputError if the run has no student yet
    or `out` exists, DamagedFileError, StorageError.
    """
    known = [job.id for job in jobs.list_jobs(workspace.runs)]
    if run not in known:
        raise UnknownNameError("run", run, known)
    return export_student(workspace.runs / run, Path(out), form)


def _quiet(done: int, total: int, stage: str) -> None:
    """Progress that nobody wants to see."""
