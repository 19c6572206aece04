"""A finished student at work: what it says of images that are no part of its task, in constant memory.

Images come in by the door that an import has: found and read in one confined process, decoded in others, with the
channels, the range and the geometry that the training images had. One that cannot be read is said to be so.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from engine.delivery.calibration import Calibration, run_calibration
from engine.delivery.likeness import Likeness, likeness_of
from engine.delivery.prediction_rows import UNSURE, Answered, rows_of
from engine.delivery.ready import ReadyStudent
from engine.errors import DamagedFileError, FullDiskError, InvalidInputError, StorageError, WorkbenchError
from engine.images.decoder import Decoders, View, Viewed
from engine.intake import find_pictures
from engine.intake.inventory import Inventory, Item
from engine.settings import import_settings
from engine.tasks.names import clean_identifier
from engine.wording import percent
from engine.workspace import Workspace

COVERAGE = 0.9  # ours: the share of images whose set holds the right class
BATCH = 64  # images that a student answers together: few enough for large ones, and a card is no slower for it
FINDING, PREDICTING = "Finding the images", "Predicting"
Progress = Callable[[int, int, str], None]  # done, total (0: nobody knows), what is being done; may raise to stop


@dataclass
class Summary:
    """What came of predicting, so far."""

    images: int = 0  # those that could be read
    classes: Counter[str] = field(default_factory=Counter)  # images by their likeliest class
    unsure: int = 0
    unlike: int = 0
    problems: int = 0
    first_problems: list[str] = field(default_factory=list)  # at most `LISTED` of them, a sentence each
    skipped: tuple[tuple[str, str], ...] = ()  # files and rows of the source that are no images, and why
    skipped_count: int = 0
    notes: tuple[str, ...] = ()
    seconds: float = 0.0  # of everything, from the first image on
    student_seconds: float = 0.0  # in the student alone

    @property
    def milliseconds(self) -> float | None:
        """Of an image, with reading and decoding; None before the first one."""
        return 1000 * self.seconds / self.images if self.images else None

    @property
    def student_milliseconds(self) -> float | None:
        """Of an image in the student alone; None before the first one."""
        return 1000 * self.student_seconds / self.images if self.images else None

    def add(self, rows: pa.Table) -> None:
        """Count some rows in."""
        for row in rows.select(["class", "unsure", "unlike", "problem"]).to_pylist():
            if row["problem"] is not None:
                self.problems += 1
                if len(self.first_problems) < LISTED:
                    self.first_problems.append(row["problem"])
                continue
            self.images += 1
            self.classes[row["class"]] += 1
            self.unsure += bool(row["unsure"])
            self.unlike += bool(row["unlike"])


LISTED = 200  # problems and skipped files that are named


@dataclass(frozen=True)
class Piece:
    """Rows of some images, and a small copy of each where those were asked for."""

    rows: pa.Table  # of `prediction_rows.SCHEMA`
    thumbnails: list[bytes]  # JPEG; empty for an image that could not be read


@dataclass(frozen=True)
class _Seen:
    """Some images as they came from the decoders."""

    files: list[str]
    problems: list[str]
    pixels: NDArray[np.uint8]  # [n, S, S, 3]; black where there is a problem
    thumbnails: list[bytes]


@dataclass
class Predicting:
    """One student, and perhaps another one beside it, at work on one source."""

    workspace: Workspace
    student: ReadyStudent
    source: str  # a path or an upload, as an import takes them
    images: str = ""  # where the images of a table lie, if elsewhere
    unsure: float = UNSURE
    beside: ReadyStudent | None = None
    thumbnail: int = 0  # pixels of the longer side of small copies; 0 = none
    progress: Progress = lambda done, total, stage: None
    summary: Summary = field(default_factory=Summary)
    # Found out when it begins: what the training images look like, and how far probabilities can be trusted, by run.
    likeness: Likeness | None = None
    calibrations: dict[str, Calibration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be predicted, naming it."""
        if not 0 <= self.unsure <= 1:
            raise InvalidInputError(f"{self.unsure:g} is no probability: choose a threshold from 0 to 1.")
        if self.beside is not None and self.beside.looks_like != self.student.looks_like:
            raise InvalidInputError(
                f"The students of {self.student.run} and {self.beside.run} look at images of different sizes: predict "
                "with one after the other."
            )

    def pieces(self, begin: Callable[[str], int] = lambda fingerprint: 0) -> Iterator[Piece]:
        """The rows of all images, in the order of the source, some at a time.

        begin(fingerprint) says how many of the first images are done already, of a source whose files' names, sizes and
        changes have this hash. Raises WorkbenchError with what is wrong with the source. Whichever way it ends, no
        process is left.
        """
        settings = import_settings(self.workspace)
        self.progress(0, 0, FINDING)
        with Decoders(settings) as decoders:
            decoders.start()
            inventory = find_pictures(self.workspace, self.source, settings, self.images)
            try:
                self._take_note(inventory)
                self._learn_about_students()
                done = begin(inventory.fingerprint)
                yield from self._answered(self._seen(inventory, decoders, done), done, len(inventory.items))
            finally:
                inventory.close()

    def _take_note(self, inventory: Inventory) -> None:
        if not inventory.items:
            raise InvalidInputError(f"{self.source} holds no images: check what you brought.")
        skipped = [(clean_identifier(one.name), one.reason) for one in inventory.skipped[:LISTED]]
        self.summary.skipped = tuple(skipped)
        self.summary.skipped_count = len(inventory.skipped) + inventory.skipped_more
        self.summary.notes = (*self.student.notes, *inventory.notes)

    def _learn_about_students(self) -> None:
        """From their held-out and training images."""
        size = self.student.record.input_size
        self.student.answer(torch.zeros(1, 3, size, size, dtype=torch.uint8))  # the first time takes longer
        try:
            self.likeness = likeness_of(self.workspace, self.student, self.progress)
        except FullDiskError:  # which is waited for
            raise
        except (DamagedFileError, StorageError) as error:  # a student answers without it
            self.summary.notes += (f"Whether images look like the training images is not said: {error}",)
        for student in filter(None, (self.student, self.beside)):
            try:
                found = run_calibration(self.workspace, student.run)
            except (DamagedFileError, StorageError) as error:  # and without this
                self.summary.notes += (str(error),)
                continue
            if found is not None:
                self.calibrations[student.run] = found
        self.summary.notes += _trust(self.calibrations.get(self.student.run))

    def _shown(self, student: ReadyStudent, own: NDArray[np.float32]) -> NDArray[np.float32]:
        """A student's probabilities `[n, K]` as they are shown: at its temperature, where one was fitted."""
        found = self.calibrations.get(student.run)
        return own if found is None else np.asarray(found.calibrated(own), dtype=np.float32)

    def _seen(self, inventory: Inventory, decoders: Decoders, done: int) -> Iterator[_Seen]:
        size, resize, reading = self.student.looks_like
        view = View(size, resize, self.thumbnail)

        def read(item: Item) -> tuple[bytes, str]:
            return inventory.read(item), clean_identifier(item.name)

        looked = decoders.view_each(islice(inventory.items, done, None), read, reading, view)
        while some := list(islice(((item, seen) for item, _, seen in looked), BATCH)):
            yield _batch(some, size)

    def _answered(self, batches: Iterator[_Seen], done: int, total: int) -> Iterator[Piece]:
        """The student answers in a thread of its own, while the next images are decoded."""
        began, before = time.perf_counter(), self.summary.seconds
        self.progress(done, total, PREDICTING)
        with ThreadPoolExecutor(1, thread_name_prefix="student") as pool:
            for piece in _one_ahead(pool, self._answer, batches):
                done += len(piece.rows)
                self.summary.seconds = before + time.perf_counter() - began
                self.progress(done, total, PREDICTING)
                yield piece

    def _answer(self, seen: _Seen) -> Piece:
        pixels, classes = torch.from_numpy(seen.pixels).permute(0, 3, 1, 2), self.student.record.classes
        began = time.perf_counter()
        features, logits = self.student.answer(pixels)
        self.summary.student_seconds += time.perf_counter() - began
        own, trusted = logits.softmax(1).numpy(), self.calibrations.get(self.student.run)
        beside = None
        if self.beside is not None:
            beside = self._shown(self.beside, self.beside.answer(pixels)[1].softmax(1).numpy())
        unlike = self.likeness.unlike(features.numpy()) if self.likeness else None
        sets = trusted.sets_of(own, COVERAGE) if trusted is not None and trusted.sets else None
        found = Answered(seen.files, seen.problems, self._shown(self.student, own), sets, unlike, beside)
        rows = rows_of(found, classes, self.unsure)
        self.summary.add(rows)
        return Piece(rows, seen.thumbnails)


def _trust(found: Calibration | None) -> tuple[str, ...]:
    """What probabilities and sets rest on, a sentence; none for a student of an earlier version."""
    if found is None:
        return ()
    if found.reason is not None:
        return (found.reason,)
    return (
        f"Probabilities are at temperature {found.temperature:.2f}, fitted on {found.images:,} held-out images; a set "
        f"holds the right class of {percent(COVERAGE, 0)} of such images.",
    )


def _one_ahead(pool: ThreadPoolExecutor, work: Callable[[_Seen], Piece], batches: Iterator[_Seen]) -> Iterator[Piece]:
    """What `work` makes of each batch, in order, with one more batch taken while it works."""
    ahead: deque[Future[Piece]] = deque()
    for batch in batches:
        ahead.append(pool.submit(work, batch))
        if len(ahead) == 2:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _batch(some: Sequence[tuple[Item, Viewed | WorkbenchError]], size: int) -> _Seen:
    pixels = np.zeros((len(some), size, size, 3), dtype=np.uint8)
    problems, thumbnails = [""] * len(some), [b""] * len(some)
    for place, (_, seen) in enumerate(some):
        if isinstance(seen, Viewed):
            pixels[place], thumbnails[place] = seen.pixels, seen.thumbnail
        else:
            problems[place] = str(seen)
    return _Seen([clean_identifier(item.name) for item, _ in some], problems, pixels, thumbnails)
