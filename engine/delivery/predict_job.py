"""Predictions as jobs: how they are asked for, what the worker does, and what it leaves in the job's folder.

Rows are kept in parts, each of which is written whole: a job that was stopped, killed or had no room left goes on after
its last part. Whoever looks may read the parts that are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from engine import jobs
from engine.delivery.finished import finished_run
from engine.delivery.new_images import Piece, Predicting
from engine.delivery.prediction_rows import SCHEMA, UNSURE
from engine.delivery.ready import ready_student
from engine.errors import DamagedFileError, InvalidInputError
from engine.files import replacing, storage_error
from engine.intake import UPLOAD, check_allowed
from engine.intake.uploads import remove_upload, upload_path
from engine.jobs import INTERACTIVE, Job, Reporter
from engine.records import Share
from engine.workspace import Workspace

KIND = "predict"
PART_ROWS = 1024  # images of one part: what is done again after a kill
THUMBNAIL = 160  # pixels of the longer side of a small copy
THUMBNAILS = 10_000  # images of which a small copy is kept: about 50 MB
_PART = pa.schema([*SCHEMA, ("thumbnail", pa.binary())])
# In a part's metadata: of which files it is, and what all parts so far took.
_FINGERPRINT, _SECONDS, _STUDENT_SECONDS, _NOTES = "fingerprint", "seconds", "student seconds", "notes"


class PredictSpec(msgspec.Struct, frozen=True):
    """What was asked for. Fields are as those of `Predicting`."""

    task: str
    run: str
    source: str
    unsure: Share = UNSURE
    beside: str = ""  # another run, whose answers stand beside; "" = none
    images: str = ""


def request_prediction(workspace: Workspace, wanted: PredictSpec, device: str) -> Job:
    """Queue a prediction, in the lane of what somebody waits for. Asking twice gives the same job; one that was stopped
    goes on, one that is done begins anew.

    Raises UnknownNameError, InvalidInputError for a run without a student or a source that the app may not read.
    """
    for run in filter(None, (wanted.run, wanted.beside)):
        finished_run(workspace, run)
    _check_source(workspace, wanted)
    spec = msgspec.to_builtins(wanted)
    return jobs.request(
        workspace.jobs, f"predict-{wanted.run}"[:80], kind=KIND, spec=spec, device=device, lane=INTERACTIVE
    )


def _check_source(workspace: Workspace, wanted: PredictSpec) -> None:
    """Raises UnknownNameError for an upload that is not there any more, InvalidInputError for a path out of bounds."""
    for source in filter(None, (wanted.source, wanted.images)):
        if source.startswith(UPLOAD):
            upload_path(workspace, source)
        else:
            check_allowed(workspace, source)


def forget_prediction(workspace: Workspace, job: Job) -> None:
    """Remove predictions that have ended, with what was uploaded for them. Raises BusyError if they have not ended."""
    sources: tuple[str, ...] = ()
    with suppress(InvalidInputError):  # what another version asked for can be removed as well
        wanted = spec_of_prediction(job)
        sources = (wanted.source, wanted.images)
    jobs.remove(job)
    for source in sources:
        remove_upload(workspace, source)


def spec_of_prediction(job: Job) -> PredictSpec:
    """What a job of this kind was asked for. Raises InvalidInputError for one of another version."""
    try:
        return msgspec.convert(dict(job.spec), PredictSpec)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"What {job.id} should predict cannot be read ({error}): predict again.") from error


def execute_prediction(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    wanted = spec_of_prediction(job)
    _check_source(workspace, wanted)
    report.progress(0, None, "", "Reading the student")

    def progress(done: int, total: int, stage: str) -> None:
        report.check_cancelled()
        report.progress(done, total or None, "images", stage)

    work = Predicting(
        workspace,
        ready_student(workspace, wanted.run, job.device),
        wanted.source,
        images=wanted.images,
        unsure=wanted.unsure,
        beside=ready_student(workspace, wanted.beside, job.device) if wanted.beside else None,
        thumbnail=THUMBNAIL,
        progress=progress,
    )
    _Keeping(work, job).run()


class _Keeping:
    """A prediction that is written down in parts."""

    def __init__(self, work: Predicting, job: Job) -> None:
        self.work, self.job = work, job
        self.parts = self.done = 0
        self.fingerprint = ""

    def run(self) -> None:
        """Predict what is left."""
        waiting: list[Piece] = []
        for piece in self.work.pieces(self._begin):
            waiting.append(piece)
            if sum(len(one.rows) for one in waiting) >= PART_ROWS:
                self._write(waiting)
                waiting = []
        if waiting:
            self._write(waiting)

    def _begin(self, fingerprint: str) -> int:
        """How many images are done; none where the files are others than those of an earlier attempt."""
        kept, self.fingerprint = KeptPredictions.of(self.job), fingerprint
        if kept.about(_FINGERPRINT) != fingerprint:
            for number in reversed(range(kept.parts)):
                _part_path(self.job.folder, number).unlink(missing_ok=True)
            return 0
        summary = self.work.summary
        for number in range(kept.parts):
            summary.add(kept.part(number))
        summary.seconds, summary.student_seconds = kept.seconds
        self.parts, self.done = kept.parts, len(kept)
        return self.done

    def _write(self, pieces: Sequence[Piece]) -> None:
        """Write one part."""
        rows = pa.concat_tables([piece.rows for piece in pieces])
        copies = [copy or None for piece in pieces for copy in piece.thumbnails]
        kept = [copy if self.done + place < THUMBNAILS else None for place, copy in enumerate(copies)]
        table = rows.append_column("thumbnail", pa.array(kept, pa.binary())).cast(_PART)
        summary = self.work.summary
        about = {
            _FINGERPRINT: self.fingerprint,
            _SECONDS: str(summary.seconds),
            _STUDENT_SECONDS: str(summary.student_seconds),
            _NOTES: "\n".join(note.replace("\n", " ") for note in summary.notes),
        }
        with replacing(_part_path(self.job.folder, self.parts)) as temporary:
            table = table.replace_schema_metadata(about)
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        self.parts, self.done = self.parts + 1, self.done + len(rows)


def _part_path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.parquet"


@dataclass(frozen=True)
class KeptPredictions:
    """What a job has predicted so far."""

    folder: Path
    lengths: tuple[int, ...]  # rows of each part

    @classmethod
    def of(cls, job: Job) -> KeptPredictions:
        """Those of a job; none before its first part. Raises DamagedFileError, StorageError."""
        lengths: list[int] = []
        while (path := _part_path(job.folder, len(lengths))).exists():
            lengths.append(_reading(path, lambda path: pq.read_metadata(path).num_rows))
        return cls(job.folder, tuple(lengths))

    def __len__(self) -> int:
        return sum(self.lengths)

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return len(self.lengths)

    @property
    def seconds(self) -> tuple[float, float]:
        """What all rows took, and in the student alone."""
        return _number(self.about(_SECONDS)), _number(self.about(_STUDENT_SECONDS))

    @property
    def notes(self) -> list[str]:
        """What is to be known about the answers, a sentence each."""
        return [note for note in self.about(_NOTES).split("\n") if note]

    def about(self, name: str) -> str:
        """What the last part says of itself under a name; "" for nothing. Raises as `part`."""
        if not self.lengths:
            return ""
        path = _part_path(self.folder, self.parts - 1)
        said = _reading(path, lambda path: pq.read_schema(path).metadata or {})
        return bytes(said.get(name.encode(), b"")).decode()

    def part(self, number: int) -> pa.Table:
        """The rows of one part, of `SCHEMA`. Raises DamagedFileError, StorageError."""
        path = _part_path(self.folder, number)
        return _reading(path, lambda path: pq.read_table(path, schema=SCHEMA, page_checksum_verification=True))

    def rows(self) -> pa.Table:
        """All rows, of `SCHEMA`. Raises as `part`."""
        return pa.concat_tables([SCHEMA.empty_table(), *map(self.part, range(self.parts))])

    def thumbnails(self, rows: Sequence[int]) -> list[bytes | None]:
        """The small copies, JPEG, of some images; None for one of which none is kept. Raises as `part`."""
        found: dict[int, bytes | None] = {}
        start = 0
        for number, length in enumerate(self.lengths):
            if here := [row for row in rows if start <= row < start + length]:
                path = _part_path(self.folder, number)
                copies = _reading(path, _copies)
                found |= {row: copies[row - start].as_py() for row in here}
            start += length
        return [found[row] for row in rows]


def _number(text: str) -> float:
    """A number of a part's metadata; 0 where it is none, as nothing but a speed depends on it."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def _copies(path: Path) -> Any:
    return pq.read_table(path, columns=["thumbnail"], page_checksum_verification=True)["thumbnail"]


def _reading(path: Path, read: Any) -> Any:
    try:
        return read(path)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        if isinstance(error, OSError) and error.errno:
            raise storage_error(error, path) from error
        raise DamagedFileError(
            f"{path} is damaged, and with it predictions: remove {path.parent}, and predict again."
        ) from error


def damaged_predictions(workspace: Workspace) -> list[str]:
    """A sentence for each job of this kind of which nobody can say what it was asked for, or for which task."""
    return jobs.damaged_jobs(workspace.jobs, f"{KIND}-")


def predictions_of_task(workspace: Workspace, task: str) -> list[Job]:
    """The jobs that predict with students of a task, the newest first."""
    found: list[Job] = []
    for job in jobs.list_jobs(workspace.jobs):
        spec: Mapping[str, Any] = job.spec
        if job.kind == KIND and spec.get("task") == task:
            found.append(job)
    return found
