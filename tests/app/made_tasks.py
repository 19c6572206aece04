"""A task of one's own with some of what the check finds: two classes, copies, a broken file."""

from __future__ import annotations

from pathlib import Path

from engine.images.decoder import Decoders
from engine.intake import ImportRequest, import_images
from engine.tasks import Task, remove_task
from engine.workspace import Workspace
from tests.engine.intake import made_sources as made

TITLE = "Löwen & <b>Tiger</b>"
LABELED = 12  # of each class, before copies


def files() -> dict[str, bytes]:
    """labeled/<class>/<n>.jpg and unlabeled/<n>.jpg, with an exact copy, a copy with another label, a broken file."""
    found = made.classes_of(LABELED, names=("lion", "<i>tiger<i>"), prefix="labeled/")
    found |= {f"unlabeled/{i}.jpg": made.jpg(5000 + i) for i in range(30)}
    found["labeled/lion/copy.jpg"] = found["labeled/lion/0.jpg"]
    found["labeled/lion/wrong.jpg"] = found["labeled/<i>tiger<i>/1.jpg"]
    found["labeled/lion/broken.jpg"] = b"no image"
    return found


def make(home: Workspace, folder: Path, decoder: Decoders) -> Task:
    """The task, imported from a ZIP in `folder`."""
    wanted = ImportRequest(str(made.zipped(folder / "cats.zip", files())), TITLE)
    return import_images(home, wanted, decoders=decoder)


def replace(task: Task, folder: Path, decoder: Decoders) -> Task:
    """Another task of the same name, with fewer images: three labeled ones of each of two other classes, ten others."""
    remove_task(task.workspace, task.name)
    found = made.classes_of(3, names=("elm", "oak"), prefix="labeled/", first=70_000)
    found |= {f"unlabeled/{i}.jpg": made.jpg(80_000 + i) for i in range(10)}
    wanted = ImportRequest(str(made.zipped(folder / "trees.zip", found)), TITLE)
    other = import_images(task.workspace, wanted, decoders=decoder)
    assert other.name == task.name
    return other
