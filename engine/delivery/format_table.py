"""The formats of a student side by side: what each takes on the disk, how accurate it is, how long a picture takes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from engine import jobs
from engine.delivery.export import finished_student, pack, write_format
from engine.delivery.finished import finished_run
from engine.delivery.format import FinishedStudent, Format
from engine.delivery.formats import FORMATS
from engine.delivery.measuring import milliseconds, size_of
from engine.devices import describe
from engine.errors import CancelledError, StorageError, WorkbenchError
from engine.files import replacing, storage_error
from engine.jobs import INTERACTIVE, Job, Reporter
from engine.processors import usable_processors
from engine.records import Count, Share, read_record, write_record
from engine.student import verify_weights
from engine.workspace import Workspace

KIND = "formats"
TABLE = "table.json"
Milliseconds = Annotated[float, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class FormatRow:
    """One format of a student, as it was measured."""

    key: str
    title: str
    problem: str = ""  # why it is not offered; then nothing else is known
    check: str = ""  # the sentence about its check; "" where it is the student itself
    size: Count = 0  # bytes of all its files
    accuracy: Share | None = None  # on held-out images that it was checked on; None where there are none
    one_thread: Milliseconds | None = None  # of one picture; None where there is none to try
    all_threads: Milliseconds | None = None


@dataclass(frozen=True)
class FormatTable:
    """All formats of a student on one machine."""

    run: str
    machine: str
    threads: Count  # that "all" are
    measured_at: str  # UTC, ISO 8601
    rows: tuple[FormatRow, ...]


def measure_formats(
    run_folder: Path, keep: Path | None = None, hear: Callable[[int, int, str], None] | None = None
) -> FormatTable:
    """Write a finished run's student in every format, check and measure each. PyTorch is the first.

    keep: a folder for a ZIP of each, named by its key. hear(done, total, title) is told before each, and may raise to
    stop. A format that cannot be had, or may not be offered, has its reason in its row. Raises InvalidInputError if the
    run has no student yet, DamagedFileError, StorageError.
    """
    student = finished_student(run_folder)
    verify_weights(run_folder)
    rows = []
    for done, form in enumerate(FORMATS.values()):
        if hear is not None:
            hear(done, len(FORMATS), form.title)
        rows.append(_measured(student, form, keep))
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    return FormatTable(run_folder.name, describe("cpu"), usable_processors(), moment, tuple(rows))


def _measured(student: FinishedStudent, form: Format, keep: Path | None) -> FormatRow:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            found = write_format(student, form, folder)
        except OSError as error:
            raise storage_error(error, folder) from error
        except (StorageError, CancelledError):
            raise
        except WorkbenchError as error:
            return FormatRow(form.key, form.title, problem=str(error))
        one, every = _times(student, form, folder, found.milliseconds)
        if keep is not None:
            with replacing(keep / f"{form.key}.zip", needed=size_of(folder)) as path, path.open("wb") as file:
                pack(folder, student.result.run, file)
        return FormatRow(
            form.key,
            form.title,
            check=found.sentence,
            size=size_of(folder),
            accuracy=found.accuracy if found.sentence else _own_accuracy(student),
            one_thread=one,
            all_threads=every,
        )


def _times(
    student: FinishedStudent, form: Format, folder: Path, known: float | None
) -> tuple[float | None, float | None]:
    """Milliseconds of a picture on one thread, unless that is `known`, and on all."""
    if form.load is None or student.images is None or student.on_task is None:
        return None, None
    picture = next(student.images.pixels(student.on_task.rows[:1]))
    one = milliseconds(form.load(folder, 1), picture) if known is None else known
    threads = usable_processors()
    return one, one if threads == 1 else milliseconds(form.load(folder, threads), picture)


def _own_accuracy(student: FinishedStudent) -> float | None:
    """Of the student itself, on the images that formats are checked on."""
    if student.images is None or student.on_task is None or not student.images.held_out:
        return None
    return float((student.on_task.student.argmax(1) == student.on_task.labels).mean())


def request_formats(workspace: Workspace, run: str) -> Job:
    """Queue the measurement of all formats of a finished run's student; a job that is done is done again.

    Raises UnknownNameError, InvalidInputError for a run without a student, StorageError.
    """
    folder = finished_run(workspace, run)
    spec = {"run": run, "task": jobs.load(folder).spec.get("task", "")}
    return jobs.request(workspace.jobs, f"formats-{run}"[:80], kind=KIND, spec=spec, device="cpu", lane=INTERACTIVE)


def execute_formats(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""

    def hear(done: int, total: int, title: str) -> None:
        report.check_cancelled()
        report.progress(done, total, "formats", f"Writing and measuring {title}")

    table = measure_formats(finished_run(workspace, job.spec["run"]), job.folder, hear)
    write_record(job.folder / TABLE, table)
    report.progress(len(table.rows), len(table.rows), "formats", "Measured")


def formats_job(workspace: Workspace, run: str) -> Job | None:
    """The newest job that measures the formats of a run, if there is one."""
    found = (job for job in jobs.list_jobs(workspace.jobs) if job.kind == KIND and job.spec.get("run") == run)
    return next(found, None)


def measured_formats(job: Job) -> FormatTable:
    """What a job that is done found. Raises DamagedFileError, StorageError."""
    return read_record(job.folder / TABLE, FormatTable, "what formats take", "measure them again")


def format_archive(job: Job, key: str) -> Path:
    """The ZIP of a format that such a job wrote."""
    return job.folder / f"{key}.zip"
