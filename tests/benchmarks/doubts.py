"""How many of some wrong labels are found, and how many right ones are suspected: labels of a bundled task, flipped.

    python -m tests.benchmarks.doubts [TASK]

The rule is that of Results, Labels, on two bundled teachers at equal shares; the first call extracts their features.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from engine.consensus import doubts
from engine.features import FeatureStore, extract
from engine.probes import left_out
from engine.review import open_task
from engine.teachers import get_teacher
from engine.workspace import Workspace

TEACHERS = ("imagenet-lite0", "mnist")
IMAGES = 500
FLIPPED = (0.02, 0.1)


def main(name: str) -> None:
    """Print one JSON document."""
    workspace = Workspace.from_environment()
    task, random = open_task(workspace, name), np.random.default_rng(0)
    known = task.train_rows[task.labels[task.train_rows] >= 0]
    rows = np.sort(random.choice(known, min(IMAGES, len(known)), replace=False))
    teachers = [get_teacher(workspace, teacher) for teacher in TEACHERS]
    extract(workspace, task, teachers, rows, device="cpu")
    features = [FeatureStore(workspace, task, teacher).read_features(rows) for teacher in teachers]
    truth, classes, found = task.labels[rows], len(task.classes), []
    for share in FLIPPED:
        labels, wrong = truth.copy(), random.choice(len(rows), round(share * len(rows)), replace=False)
        labels[wrong] = (labels[wrong] + random.integers(1, classes, len(wrong))) % classes
        said = np.mean([left_out(each, labels, classes) for each in features], axis=0)
        suspected = doubts(said, labels)
        hit = np.isin(suspected.places, wrong)
        found.append(
            {
                "wrong": len(wrong),
                "suspected": len(hit),
                "found": int(hit.sum()),
                "found among as many as are wrong": int(hit[: len(wrong)].sum()),
                "suggestion right": int((suspected.suggested == truth[suspected.places])[hit].sum()),
            }
        )
    print(json.dumps({"task": name, "images": len(rows), "teachers": TEACHERS, "flipped": found}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:] or ["fashion-mnist"])
