"""The import: from a source to a task. Images are read once, in constant memory; the task appears at the end, whole.

What is done so far lies in `imports/<key>` of the workspace, in parts; an import that was stopped, or killed, goes on
after its last part when it is asked for again. One rename of a finished folder makes the task.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import BusyError, CancelledError, InvalidInputError, StorageError, WorkbenchError
from engine.files import canonical_hash, make_folder, publish_folder, replacing, write_json
from engine.images.decoder import Decoders, Looked
from engine.images.pixels import is_dicom
from engine.images.reading import Reading, reading_as_json
from engine.intake.discovery import find_images
from engine.intake.first_record import first_record
from engine.intake.inventory import Inventory, Item
from engine.intake.parts import PART_SCHEMA, facts_of, group_of, image_rows, small_columns, small_copies
from engine.intake.request import UPLOAD, ImportRequest, request_as_json, with_name
from engine.intake.uploads import remove_upload, upload_title
from engine.jobs import FileLock
from engine.review.decisions import open_task
from engine.settings import ImportSettings, import_settings
from engine.tasks.catalogue import task_names
from engine.tasks.facts import LISTED, ImportSummary, write_facts, write_import_summary
from engine.tasks.image_table import IMAGES_FILE, write_reference_table
from engine.tasks.names import check_task_name, clean_identifier, clean_text, natural_order
from engine.tasks.questions import as_option, refuse_guesses, undecided
from engine.tasks.task import Task
from engine.workspace import Workspace

PART_IMAGES = 1000  # of one part: what is done again after a kill
PART_BYTES = 64_000_000
ABANDONED_DAYS = 7.0  # what an import that nobody took up again has done
Progress = Callable[[int, int, str], None]  # done, total (0: nobody knows), what is being done; may raise to stop


def import_images(
    workspace: Workspace,
    request: ImportRequest,
    *,
    progress: Progress = lambda done, total, stage: None,
    decoders: Decoders | None = None,
) -> Task:
    """Import images as a new task, in this process (decoding happens in others).

    progress is told how many images are done; when it raises, the import stops; the same request goes on there.
    Raises InvalidInputError, DamagedFileError, UnknownNameError, UnavailableError or StorageError with what is wrong
    with the source, and BusyError while another process does the same import. Nothing is left of a failed import but
    where the disk was full or the source went away (StorageError), which goes on there as well; no task is ever
    overwritten.
    """
    request = with_name(request)
    check_task_name(request.task, task_names(workspace))
    settings = import_settings(workspace)
    if decoders is not None:
        return _import(workspace, request, settings, decoders, progress)
    with Decoders(settings) as own:
        return _import(workspace, request, settings, own, progress)


def _import(
    workspace: Workspace, request: ImportRequest, settings: ImportSettings, decoders: Decoders, progress: Progress
) -> Task:
    progress(0, 0, "Finding the images")
    inventory = find_images(workspace, request, settings)
    try:
        if not inventory.items:
            raise InvalidInputError(f"{request.source} holds no images: check what you brought.")
        if request.strict:
            refuse_guesses(inventory.questions)
        if not request.classes and all(item.label is None for item in inventory.items):
            raise _without_classes(inventory)  # before every image is read in vain
        key = _key(request, inventory)
        with _staging(workspace, key):
            task = _Import(workspace, request, settings, decoders, inventory, key, progress).run()
    finally:
        inventory.close()
    for source in (request.source, request.images):
        if source.startswith(UPLOAD):
            remove_upload(workspace, source)
    return task


def _key(request: ImportRequest, inventory: Inventory) -> str:
    """The name of what an import has done so far: another one for another request, other files, or anything else that
    a table elsewhere says of the images now.
    """
    digest = hashlib.sha256()
    for item in inventory.items:
        digest.update(ascii((item.name, item.label, item.split, item.group, item.place)).encode())
    return canonical_hash([request_as_json(request), inventory.fingerprint, digest.hexdigest()], 16)


def _without_classes(inventory: Inventory) -> InvalidInputError:
    guessed = "".join(
        f" Please check: {question.text} Taken: {question.in_force.title}; or {as_option(one)} ({one.title})."
        for question in undecided(inventory.questions)
        for one in question.interpretations
        if one.key != question.chosen
    )
    return InvalidInputError(
        "The images have no classes: sort them into one folder for each class, bring a table with a label column, or "
        f"name at least two classes (--classes cat,dog) to label the images here.{guessed}"
    )


@contextmanager
def _staging(workspace: Workspace, key: str) -> Iterator[None]:
    """Holds the folder of what this import has done so far; removed when it is done, or fails for good, as it does not
    where a disk is full or gone.
    """
    root = make_folder(workspace.imports)
    _remove_abandoned(root)
    lock = FileLock(workspace, f"import-{key}")
    if not lock.acquire():
        raise BusyError("The same import is under way already: wait for it to end.")
    folder = make_folder(root / key)
    try:
        yield
    except (CancelledError, KeyboardInterrupt, StorageError):
        raise  # to be taken up again
    except WorkbenchError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        with suppress(OSError):
            (workspace.locks / f"import-{key}.lock").unlink()  # while it is held, so that nobody takes it in between
        lock.release()


def _remove_abandoned(root: Path) -> None:
    oldest = time.time() - ABANDONED_DAYS * 86_400
    for folder in root.iterdir():
        with suppress(OSError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Part:
    """Images that were looked at since the last part was written."""

    rows: list[dict[str, object]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    bytes: int = 0
    looked_at: int = 0


class _Import:
    """One import at work."""

    def __init__(
        self,
        workspace: Workspace,
        request: ImportRequest,
        settings: ImportSettings,
        decoders: Decoders,
        inventory: Inventory,
        key: str,
        progress: Progress,
    ) -> None:
        self.workspace, self.request, self.settings, self.decoders = workspace, request, settings, decoders
        self.inventory, self.staging, self.progress = inventory, workspace.imports / key, progress
        self.reading = request.reading or inventory.reading or Reading()
        self.in_place = request.in_place is not False
        if request.in_place and not any(inventory.path(item) for item in inventory.items[:1]):
            raise InvalidInputError(
                "Images can be read in place only from a folder in an allow-listed root (the setting roots): leave "
                "them to be copied."
            )

    def run(self) -> Task:
        """Look at every image, then make the task."""
        done = self._parts_done()
        self._look(done)
        parts = sorted(self.staging.glob("part-*.parquet"))
        total = len(self.inventory.items)
        self.progress(total, total, "Checking")
        folder = self.staging / "task"
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed while it wrote
        make_folder(folder)
        self._write_task(folder, parts)
        self._publish(folder)
        return open_task(self.workspace, self.request.task)

    def _parts_done(self) -> int:
        """How many items the parts of an earlier attempt cover; parts after a gap are removed."""
        done = number = 0
        while (note := self.staging / f"part-{number:05d}.json").exists():
            try:
                done += int(json.loads(note.read_bytes())["looked_at"])
                pq.read_metadata(note.with_suffix(".parquet"))
            except (ValueError, KeyError, TypeError, OSError, pa.ArrowException):
                shutil.rmtree(self.staging, ignore_errors=True)
                make_folder(self.staging)
                return 0
            number += 1
        self._number = number
        return done

    _number = 0

    def _look(self, done: int) -> None:
        items = self.inventory.items
        part, counted, began = _Part(), done, "Reading the images"
        self.progress(counted, len(items), began)
        for item, content, seen in self.decoders.look_at(items[done:], self._read, self.reading):
            part.looked_at += 1
            if isinstance(seen, Looked):
                row = self._row(item, content, seen)
                part.rows.append(row)
                part.bytes += len(seen.stored or (content if row["bytes"] is not None else b""))
            else:
                part.unreadable.append((clean_identifier(item.name), str(seen)))
            counted += 1
            if part.looked_at >= PART_IMAGES or part.bytes >= PART_BYTES:
                self._write_part(part)
                part = _Part()
            self.progress(counted, len(items), began)
        if part.looked_at:
            self._write_part(part)

    def _read(self, item: Item) -> tuple[bytes, str]:
        return self.inventory.read(item), clean_identifier(item.name)

    def _row(self, item: Item, content: bytes, seen: Looked) -> dict[str, object]:
        path = self.inventory.path(item) if self.in_place and seen.stored is None else None
        about = _about(path) if path is not None else None
        stored = seen.stored if seen.stored is not None else content
        return {
            "image_id": clean_identifier(item.name),
            "sha256": _digest(stored),
            "bytes": None if about is not None else stored,
            "path": None if about is None else str(path),
            "size": None if about is None else about.st_size,
            "modified": None if about is None else about.st_mtime_ns,
            "label": item.label,
            "split": item.split or "",
            "group": group_of(item, seen),
            "width": seen.width,
            "height": seen.height,
            "source_sha256": _digest(content),
            "phash": seen.phash,
            "small": seen.small,
            "steps": list(seen.steps),
            "dicom": is_dicom(content[:132]),
        }

    def _write_part(self, part: _Part) -> None:
        name = self.staging / f"part-{self._number:05d}.parquet"
        with replacing(name) as temporary:
            pq.write_table(pa.Table.from_pylist(part.rows, schema=PART_SCHEMA), temporary, compression="zstd")
        write_json(name.with_suffix(".json"), {"looked_at": part.looked_at, "unreadable": part.unreadable})
        self._number += 1

    def _write_task(self, folder: Path, parts: list[Path]) -> None:
        unreadable = [
            tuple(pair) for part in parts for pair in json.loads(part.with_suffix(".json").read_bytes())["unreadable"]
        ]
        ids, columns = small_columns(parts)
        if not ids:
            reason = f" ({unreadable[0][1]})" if unreadable else ""
            raise InvalidInputError(f"None of the {len(self.inventory.items):,} images can be read{reason}.")
        write_reference_table(folder / IMAGES_FILE, image_rows(parts, ids))
        facts = facts_of(columns)
        write_facts(folder, ids, facts, small_copies(columns))
        skipped = [(clean_identifier(s.name), s.reason) for s in self.inventory.skipped]
        steps = Counter(step for steps in columns["steps"] for step in steps or ())
        about = ImportSummary(
            source=self._source_words(),
            layout=self.inventory.layout,
            layout_title=self.inventory.layout_title,
            notes=self.inventory.notes,
            unreadable=tuple((str(a), str(b)) for a, b in unreadable[:LISTED]),
            unreadable_count=len(unreadable),
            skipped=tuple(skipped[:LISTED]),
            skipped_count=len(skipped) + self.inventory.skipped_more,
            steps=dict(steps.most_common()),
            columns=_columns_words(self.inventory),
            questions=self.inventory.questions,
            imported=datetime.now(UTC).isoformat(timespec="seconds"),
            in_place=any(columns["path"]),
            dicom=any(columns["dicom"]),
        )
        write_import_summary(folder, about)
        classes, labels = self._labels(columns["label"])
        given = np.array(columns["split"], dtype="<U5")
        first_record(
            folder,
            self.request,
            self.inventory,
            about,
            facts,
            ids,
            classes,
            labels,
            given,
            reading_as_json(self.reading),
        )

    def _labels(self, labels: list[str | None]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        present = {label for label in labels if label is not None}
        declared = [name for name in (clean_text(c) for c in self.request.classes) if name]
        own = self.inventory.classes
        known = [name for name in own if name in present] if own else natural_order(present)
        classes = tuple(dict.fromkeys([*known, *natural_order(present - set(known)), *declared]))
        if len(classes) > self.settings.classes:
            raise InvalidInputError(
                f"The labels name {len(classes):,} classes, more than the {self.settings.classes:,} allowed: another "
                "column may be the right one."
            )
        if not classes:
            raise _without_classes(self.inventory)
        number = {name: index for index, name in enumerate(classes)}
        return classes, np.array([-1 if label is None else number[label] for label in labels], dtype=np.int64)

    def _source_words(self) -> str:
        source = self.request.source
        return f"{upload_title(source)}, uploaded" if source.startswith(UPLOAD) else source

    def _publish(self, folder: Path) -> None:
        check_task_name(self.request.task, task_names(self.workspace))  # somebody may have been faster
        shutil.rmtree(self.workspace.features / self.request.task, ignore_errors=True)  # of a task that was removed
        if not publish_folder(folder, self.workspace.tasks / self.request.task):
            check_task_name(self.request.task, [self.request.task])


def _about(path: Path) -> os.stat_result | None:
    """What a file that was read in place is now; None where it is gone since, so that what was read is kept instead."""
    try:
        return path.lstat()  # a link put there since has an age of its own
    except OSError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _columns_words(inventory: Inventory) -> Mapping[str, str]:
    columns = inventory.columns
    if columns is None:
        return {}
    named = {"images": columns.path, "labels": columns.label, "groups": columns.group, "split": columns.split}
    return {what: name for what, name in named.items() if name}
