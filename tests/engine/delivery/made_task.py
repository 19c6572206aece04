"""A small task of images that an export is checked on, and the run of a student of it."""

from dataclasses import replace

import numpy as np
from PIL import Image

from engine.records import write_record
from engine.review import open_task
from engine.student import RECORD, read_student
from engine.tasks.image_table import IMAGES_FILE, write_image_table
from engine.tasks.task import TaskRecord, write_task_files
from tests.engine.delivery.made_student import make_student
from tests.engine.intake.made_sources import encoded

CLASSES = ("ant", "bee", "crow")
IMAGES = 24  # half of them held out
NAME = "insects"


def pictures(count=IMAGES, seed=0):
    """Images of three hues with some noise, of several shapes."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        hue = np.eye(3)[i % 3] * 160
        noise = rng.integers(0, 90, (40 + i % 3, 36, 3))
        yield Image.fromarray(np.clip(hue + noise, 0, 255).astype(np.uint8))


def make_task(workspace, resize="squash"):
    """The task in a workspace."""
    folder = workspace.tasks / NAME
    folder.mkdir(parents=True)
    ids = [f"{i}.png" for i in range(IMAGES)]
    write_image_table(folder / IMAGES_FILE, iter(zip(ids, map(encoded, pictures()), strict=True)))
    about = {"title": "Insects & birds", "summary": "Sort them.", "collection": "garden", "license": "CC BY 4.0"}
    about |= {"source": "", "split_rule": ""}
    record = TaskRecord(NAME, **about, parts=(), classes=CLASSES, resize=resize, flip=True)
    write_task_files(folder, record, ids, [i % 3 for i in range(IMAGES)], ["train", "test"] * (IMAGES // 2))
    return open_task(workspace, NAME)


def make_run(workspace, resize="squash"):
    """The folder of a finished run of the task, which is made too."""
    task = make_task(workspace, resize)
    folder = make_student(workspace.runs / "run-1", CLASSES, task=NAME, resize=resize)
    write_record(folder / RECORD, replace(read_student(folder), task_revision=task.revision))
    return folder


def damage_image(workspace, row):
    """Change the bytes of an image of the task, as a disk that fails does. Pixels that were kept of it stay."""
    path = workspace.tasks / NAME / IMAGES_FILE
    picture = encoded(list(pictures())[row])
    path.write_bytes(path.read_bytes().replace(picture, bytes(len(picture))))
