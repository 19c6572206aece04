"""The student that goes to work: one run of the chosen method on all images, those included that were held out.

It has no held-out accuracy of its own; what a comparison says of its method is quoted in its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from engine.errors import InvalidInputError, UnknownNameError, WorkbenchError
from engine.jobs import Job, list_jobs
from engine.methods import get_method
from engine.results import IntervalRecord, Quoted, RunResult, results_in
from engine.runs.comparison import (
    Comparison,
    Entry,
    enqueue,
    list_comparisons,
    load_comparison,
    method_means,
    read_run,
    read_runs,
)
from engine.runs.recorded import RECORDED, recorded_comparison
from engine.runs.spec import RunSpec, plan
from engine.tasks import ALL, Task, task_names
from engine.workspace import Workspace


def finishing_spec(
    workspace: Workspace,
    task: Task,
    method: str,
    *,
    comparison: str = "",
    device: str | None = None,
    **chosen: Any,
) -> RunSpec:
    """The run that trains the student of `method` on all images and all labels of a task as it is now.

    comparison: the id of the one that is quoted, or RECORDED; its settings are taken over, with the seed of its first
    run. "" quotes none. chosen: fields of training and settings, as `plan` takes them, before those; where they differ
    it is another student than was compared, and nothing is quoted. Raises
    UnknownNameError for a method that the comparison has no finished run of, and as `plan`.
    """
    whole = replace(task, held_out=False)
    seeds, like = ([0], {}) if not comparison else as_compared(workspace, task, comparison, method)
    [spec] = plan(workspace, whole, [method], seeds[:1], labels_per_class=ALL, device=device, **{**like, **chosen})
    same = all(name in like and like[name] == value for name, value in chosen.items())
    return replace(spec, quotes=comparison if same else "")


def what_to_finish(workspace: Workspace, named: str, method: str | None) -> tuple[str, str, str]:
    """The task, the method and the comparison that are meant by the name of a run, a comparison or a task.

    Of a task the newest comparison with a finished run of the method is quoted, or none. Raises UnknownNameError,
    InvalidInputError for a method that is missing or not that of the run.
    """
    comparisons = list_comparisons(workspace)
    if isinstance(run := read_run(workspace, named), Entry):
        if method not in (None, run.spec.method):
            raise InvalidInputError(f"Run {named!r} is one of {run.spec.method}: leave the method out, or name it.")
        holding = next((found.id for found in comparisons if named in found.runs), "")
        return run.spec.task, run.spec.method, holding
    of_id = {found.id: found for found in comparisons}
    known = [*task_names(workspace), *of_id, *(job.id for job in list_jobs(workspace.runs))]
    if named not in known:
        raise UnknownNameError("task, comparison or run", named, known)
    if method is None:
        raise InvalidInputError("Which method is to be trained on all images? Name one, such as distill-consensus.")
    method = get_method(method).key
    if named in of_id:
        return of_id[named].task, method, named
    tested = (found for found in comparisons if found.task == named and _tests(workspace, found, method))
    return named, method, next((found.id for found in tested), "")


def _tests(workspace: Workspace, comparison: Comparison, method: str) -> bool:
    return any(entry.spec.method == method for entry in _done(workspace, comparison))


def request_finished(workspace: Workspace, spec: RunSpec, device: str | None = None) -> Job:
    """Queue the run of `finishing_spec`, or give it if it is there. Raises StorageError."""
    return enqueue(workspace, [spec], device)[0]


def trained_on_all(workspace: Workspace, task: str, comparison: str = "") -> list[Entry]:
    """The students of a task that were trained on all images, those that quote this comparison, the newest first."""
    jobs = [job for job in list_jobs(workspace.runs) if job.spec.get("held_out") is False]
    mine = [job for job in jobs if (job.spec.get("task"), job.spec.get("quotes")) == (task, comparison)]
    found = [entry for job in mine if isinstance(entry := read_run(workspace, job.id), Entry)]
    return sorted(found, key=lambda entry: entry.job.created, reverse=True)


def quoted(workspace: Workspace, spec: RunSpec) -> Quoted | None:
    """What the comparison that a run quotes says of its method; None if it quotes none, or that is gone."""
    if not spec.quotes:
        return None
    try:
        results, shared = _results(workspace, spec.task, spec.quotes)
    except WorkbenchError as error:  # the student is trained all the same
        print(f"Nothing is quoted: {error}")
        return None
    own = [result for result in results if result.method == spec.method]
    if not own:
        return None
    [mean] = method_means(own)
    return Quoted(
        comparison=spec.quotes,
        accuracy=mean.accuracy,
        interval=IntervalRecord(**asdict(mean.interval)),
        seeds=len(mean.seeds),
        test_images=mean.test_images,
        labeled_images=own[0].labeled_images,
        same_task=shared.get("task_revision") == spec.task_revision,
    )


def as_compared(workspace: Workspace, task: Task, comparison: str, method: str) -> tuple[list[int], dict[str, Any]]:
    """The seeds of a comparison's finished runs of a method, rising, and the settings as `plan` takes them.

    Raises UnknownNameError for a method of which it has none, DamagedFileError, StorageError.
    """
    if comparison == RECORDED:
        results, shared = _results(workspace, task.name, comparison)
        seeds = [result.seed for result in results if result.method == method]
        like = {name: shared[field] for name, field in _RECORDED_FIELDS.items() if field in shared}
    else:
        entries = _done(workspace, load_comparison(workspace, comparison))
        results = [entry.result for entry in entries if entry.result is not None]
        own = sorted((entry for entry in entries if entry.spec.method == method), key=lambda entry: entry.spec.seed)
        seeds = [entry.spec.seed for entry in own]
        like = _settings_of(own[0].spec) if own else {}
    if not seeds:
        raise UnknownNameError("finished method of this comparison", method, {result.method for result in results})
    return sorted(seeds), like


_RECORDED_FIELDS = {"architecture": "student", "start": "start", "size": "size", "images": "images"}


def _settings_of(spec: RunSpec) -> dict[str, Any]:
    teachers = None if spec.teachers is None else list(spec.teachers)
    of_method = {} if teachers is None else {"metric": spec.metric, "teachers": teachers, "alpha": spec.alpha}
    return {**asdict(spec.train), **asdict(spec.settings), **of_method}


def _done(workspace: Workspace, comparison: Comparison) -> list[Entry]:
    return [entry for entry in read_runs(workspace, comparison).entries if entry.result is not None]


def _results(workspace: Workspace, task: str, comparison: str) -> tuple[Sequence[RunResult], Mapping[str, Any]]:
    if comparison != RECORDED:
        found = load_comparison(workspace, comparison)
        return read_runs(workspace, found).results, dict(found.shared)
    document = recorded_comparison(task)
    if document is None:
        raise InvalidInputError(f"No comparison of task {task!r} came with the program.")
    return results_in(document, Path(f"{task}.json")), document.get("shared", {})
