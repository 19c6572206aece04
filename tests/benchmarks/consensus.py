"""`python -m tests.benchmarks.consensus TASK...`: how often the consensus is right, and what each of its parts adds.

No student is trained: the consensus is held against the labels of the training split's unlabeled images, which the
methods never see. For development tasks; on a target this would be tuning on it. Prints one JSON document.
"""

import json
import statistics
import sys

import numpy as np

from engine.consensus import Ensemble, consensus
from engine.features import FeatureStore, extract
from engine.review import open_task
from engine.runs import active_weights, rank
from engine.tasks import Draw
from engine.teachers import get_teacher
from engine.verbs import open_workspace

LABELS_PER_CLASS, SEEDS = 5, range(5)
FULL, ALONE = Ensemble(), Ensemble(neighbors=0)
PARTS = {  # exponent of the weights, and how the consensus is made
    "nearest teacher's probe": (np.inf, ALONE),
    "all probes, equal weights": (0.0, ALONE),
    "all probes, p = 6": (6.0, ALONE),
    "all probes, p = 12": (12.0, ALONE),
    "nearest teacher, propagation": (np.inf, FULL),
    "equal weights, propagation": (0.0, FULL),
    "p = 3, propagation": (3.0, FULL),
    "p = 6, propagation: the method": (6.0, FULL),
    "p = 12, propagation": (12.0, FULL),
    "without sharpening": (6.0, Ensemble(sharpness=1)),
    "sharpness 3": (6.0, Ensemble(sharpness=3)),
    "5 neighbors": (6.0, Ensemble(neighbors=5)),
    "20 neighbors": (6.0, Ensemble(neighbors=20)),
    "propagation .6": (6.0, Ensemble(propagation=0.6)),
    "propagation .9": (6.0, Ensemble(propagation=0.9)),
}


def accuracies(name: str) -> dict[str, list[float]]:
    """Share of unlabeled training images that each variant gets right, by seed."""
    workspace = open_workspace()
    task = open_task(workspace, name)
    rows, found = task.train_rows, {part: [] for part in PARTS}
    features: dict[str, np.ndarray] = {}
    for seed in SEEDS:
        ranking = rank(workspace, task, draw=Draw(LABELS_PER_CLASS, seed))
        if not features:
            extract(workspace, task, ranking.candidates, rows)
            features = {
                t.name: FeatureStore(workspace, task, get_teacher(workspace, t.name)).read_features(rows)
                for t in ranking.candidates
            }
        labeled = np.searchsorted(rows, task.labeled_rows(Draw(LABELS_PER_CLASS, seed)))
        others = np.setdiff1d(np.arange(len(rows)), labeled)
        truth = task.labels[rows]
        for part, (p, how) in PARTS.items():
            alpha = active_weights(ranking.alpha(p))
            probabilities = consensus(features, alpha, labeled, truth[labeled], len(task.classes), how)
            found[part].append(float((probabilities[others].argmax(1) == truth[others]).mean()))
        print(f"{name}, seed {seed}", file=sys.stderr)
    return found


def main(names: list[str]) -> int:
    """Measure all tasks, and print means over seeds and over tasks, in percent."""
    by_task = {name: accuracies(name) for name in names}
    rows = {
        part: {name: round(100 * statistics.mean(found[part]), 1) for name, found in by_task.items()} for part in PARTS
    }
    document = {part: {"mean": round(statistics.mean(row.values()), 1), **row} for part, row in rows.items()}
    about = {"labels_per_class": LABELS_PER_CLASS, "seeds": list(SEEDS), "unit": "% of unlabeled training images right"}
    json.dump({**about, "parts": document}, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
