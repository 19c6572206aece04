"""The first record of an imported task, with its first revisions of labels and split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.intake.inventory import Inventory
from engine.intake.request import ImportRequest, may_flip
from engine.review.check import review
from engine.review.decisions import write_review
from engine.review.geometry import advise
from engine.tasks.facts import Facts, ImportSummary
from engine.tasks.labels import write_labels
from engine.tasks.names import clean_text
from engine.tasks.task import ReadingRecord, TaskRecord, write_revision

OWN = "own"  # how the collection of a task begins whose images no teacher knows


def first_record(
    folder: Path,
    request: ImportRequest,
    inventory: Inventory,
    about: ImportSummary,
    facts: Facts,
    image_ids: Sequence[str],
    classes: tuple[str, ...],
    labels: NDArray[np.int64],
    given: NDArray[np.str_],
    reading: ReadingRecord,
) -> None:
    """Write the first revisions and task.json of an imported task into a folder that has its other files.

    Decisions made ahead that match no finding are ignored, since the finding may have gone.
    """
    advice = advise(facts.widths, facts.heights)
    flip = may_flip(classes, dicom=about.dicom) if request.flip is None else request.flip
    record = TaskRecord(
        name=request.task,
        title=clean_text(request.title),
        summary=f"{len(image_ids):,} images of {len(classes):,} classes, read as {inventory.layout_title}.",
        collection=inventory.collection or f"{OWN}:{request.task}",
        parts=(),
        classes=classes,
        resize=request.resize or advice.resize,
        flip=flip,
        license=inventory.license or "your own images",
        source=about.source,
        split_rule="",
        given_labels=write_labels(folder, image_ids, labels),
        given_split=write_revision(folder / "splits", "split", image_ids, pa.array(given.tolist(), pa.string())),
        given_classes=classes,
        student_size=request.student_size or advice.size,
        reading=reading,
    )
    found = review(facts, about, classes, labels, given, request.decisions)
    write_review(folder, record, image_ids, found, request.decisions)
