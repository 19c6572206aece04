"""An own task of very many images, made without decoding any: for what labels and decisions cost."""

import hashlib

import numpy as np

from engine.intake import ImportRequest
from engine.intake.first_record import first_record
from engine.intake.inventory import Inventory
from engine.tasks import task_as_labeled
from engine.tasks.facts import Facts, ImportSummary, write_facts, write_import_summary
from engine.tasks.image_table import write_reference_table


def task_of(home, images, classes=20, labeled=0.5):
    """A task of `images` images of 64 by 64, half of them labeled, one in a hundred a copy of the one before it."""
    folder = home.tasks / "large"
    folder.mkdir(parents=True)
    ids = [f"class {row % classes:02d}/image {row:07d}.png" for row in range(images)]
    rows = (
        {"image_id": i, "sha256": hashlib.sha256(i.encode()).hexdigest(), "bytes": b"", "path": None, "size": None}
        | {"modified": None}
        for i in ids
    )
    write_reference_table(folder / "images.parquet", rows)
    same = np.arange(images)
    same[1::100] = same[0::100][: len(same[1::100])]
    sides = np.full(images, 64, dtype=np.int32)
    groups = np.full(images, "", dtype=np.str_)
    facts = Facts(sides, sides, groups, same, same.copy(), np.zeros(images, dtype=bool), [[]] * images)
    write_facts(folder, ids, facts)
    about = ImportSummary("made", "class-folders", "folders by class", (), (), 0, (), 0, {})
    write_import_summary(folder, about)
    labels = np.where(np.random.default_rng(0).random(images) < labeled, np.arange(images) % classes, -1)
    first_record(
        folder,
        ImportRequest("made", "large"),
        Inventory("class-folders", "folders by class", [], lambda item: b"", ""),
        about,
        facts,
        ids,
        tuple(f"class {number:02d}" for number in range(classes)),
        labels.astype(np.int64),
        np.full(images, "", dtype="<U5"),
        {},
    )
    return task_as_labeled(home, "large")
