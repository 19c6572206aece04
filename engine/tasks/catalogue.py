"""Which tasks there are: the bundled ones, copied into the workspace when first used, and the workspace's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import DamagedFileError, UnknownNameError
from engine.files import TEMPORARY_PREFIX, read_json, replacing_folder, sha256
from engine.installation import bundled
from engine.tasks.image_table import IMAGES_FILE, write_image_table
from engine.tasks.task import TASK_FILE, Task, TaskRecord, load_task, write_task_files
from engine.workspace import Workspace

ASSETS = bundled("tasks")


def task_names(workspace: Workspace) -> list[str]:
    """Names of all tasks: the bundled ones first, then the workspace's own, each sorted."""
    shipped, folder = bundled_names(), workspace.tasks
    # One that lost its record is named as well, lest it vanish without a word.
    files = (TASK_FILE, IMAGES_FILE)
    own = {path.parent.name for name in files for path in folder.glob(f"*/{name}")} if folder.is_dir() else set()
    return shipped + sorted(name for name in own if name not in shipped and not name.startswith(TEMPORARY_PREFIX))


def bundled_names() -> list[str]:
    """Names of the tasks that come with the program."""
    return sorted(path.stem for path in ASSETS.glob("*.parquet"))


def task_as_labeled(workspace: Workspace, name: str) -> Task:
    """The task called `name` as it lies on disk: labels by hand may be newer than its split
    (`engine.review.open_task` reviews them). Raises UnknownNameError, DamagedFileError or StorageError.
    """
    if name not in (names := task_names(workspace)):
        raise UnknownNameError("task", name, names)
    folder = workspace.tasks / name
    if not folder.exists():
        add_task_file(workspace, ASSETS / f"{name}.parquet")
    return load_task(workspace, folder.name)


def add_task_file(workspace: Workspace, path: Path) -> Task:
    """Copy a task file (a Parquet file in the Hugging Face image layout with its JSON record beside it) into the
    workspace, as one atomic step.

    Raises DamagedFileError if the file does not match its record's checksum or is no such file.
    """
    record = read_json(path.with_suffix(".json"))
    if sha256(path) != record.get("sha256"):
        raise DamagedFileError(
            f"{path} does not match its checksum: it is damaged or was changed. Restore it from the repository."
        )
    try:
        classes, image_ids, labels, splits = _read_columns(path)
        task = TaskRecord(
            classes=classes,
            parts=tuple(record["parts"]),
            origin=record["sha256"],
            **{key: record[key] for key in _COPIED},
        )
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise DamagedFileError(f"{path} is not a task file ({error!r}): restore it from the repository.") from error
    folder = workspace.tasks / task.name
    with replacing_folder(folder) as temporary:
        write_image_table(temporary / IMAGES_FILE, _contents(path, image_ids))
        write_task_files(temporary, task, image_ids, labels, splits)
    return load_task(workspace, folder.name)


_COPIED = ("name", "title", "summary", "collection", "resize", "flip", "license", "source", "split_rule")


def _read_columns(path: Path) -> tuple[tuple[str, ...], list[str], list[int], list[str]]:
    file = pq.ParquetFile(path)
    features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    table = file.read(columns=["image.path", "label", "split"])
    image_ids = [image["path"] for image in table["image"].to_pylist()]
    return tuple(features["label"]["names"]), image_ids, table["label"].to_pylist(), table["split"].to_pylist()


def _contents(path: Path, image_ids: list[str]) -> Iterator[tuple[str, bytes]]:
    names = iter(image_ids)
    for batch in pq.ParquetFile(path).iter_batches(512, columns=["image.bytes"]):
        for image in batch["image"].to_pylist():
            yield next(names), image["bytes"]
