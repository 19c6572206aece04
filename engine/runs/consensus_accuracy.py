"""How often the consensus is right that a run's student learns from: the most that it can learn of unlabeled images."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from engine.consensus import cross_validated
from engine.evaluation import share_interval
from engine.results import ConsensusRecord, IntervalRecord
from engine.runs.material import RunMaterial
from engine.tasks import NO_LABEL, is_own, read_groups
from engine.training import Opinion


def consensus_accuracy(material: RunMaterial, opinion: Opinion) -> ConsensusRecord | None:
    """Judged on the run's labels, each of them left out; None where none can be, as with one label a class, or where
    all images are of one group.

    On a task that came with the program also on the training images whose labels no method sees. A task of a user's
    own has none of which anybody would know the class in earnest, so there the labels say it alone.
    """
    task = material.task
    groups = read_groups(task.folder)
    of_labeled = None if groups is None else groups[material.labeled_rows]
    found = cross_validated(opinion.from_labels, material.labeled, material.labels, of_labeled)
    if found is None:
        return None
    right = found.right[found.judged]
    interval = share_interval(right, None if of_labeled is None else of_labeled[found.judged])
    if interval is None:
        return None
    unlabeled = None if is_own(task) else _right_of_unlabeled(material, opinion)
    return ConsensusRecord(
        accuracy=float(right.mean()),
        interval=IntervalRecord(**asdict(interval)),
        images=len(right),
        folds=found.folds,
        unlabeled_accuracy=None if unlabeled is None else float(unlabeled.mean()),
        unlabeled_images=0 if unlabeled is None else len(unlabeled),
    )


def _right_of_unlabeled(material: RunMaterial, opinion: Opinion) -> NDArray[np.bool_] | None:
    """Whether each training image is called its class whose label the run was not told; None where there is none."""
    truth = material.task.labels[material.task.train_rows]
    others = truth != NO_LABEL
    others[material.labeled] = False
    if not others.any():
        return None
    return np.asarray(opinion.probabilities.argmax(1).numpy()[others] == truth[others])
