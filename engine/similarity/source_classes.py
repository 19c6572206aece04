"""Metrics on the teacher's own classes: NCE, LEEP and NLEEP ask how well they tell the task's classes apart.

References: Tran et al. 2019, "Transferability and Hardness of Supervised Classification Tasks" (NCE); Nguyen et al.
2020, "LEEP: A New Measure to Evaluate Transferability of Learned Representations"; Li et al. 2021, "Ranking Neural
Checkpoints" (NLEEP).
"""

from __future__ import annotations

import warnings

import numpy as np

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray
from engine.similarity.linear_algebra import fixed_signs
from engine.similarity.metric import Card, Metric, on_pseudo_labels
from engine.similarity.outputs import LabeledOutputs
from engine.similarity.points import Classes, Points

MIXTURE_DIMENSIONS = 64  # at most; the first axes hold nearly all the variance of pooled features
MIXTURE_ENERGY = 0.8  # share of the variance kept, as in Li et al. 2021
MIXTURE_PARTS_PER_CLASS = 5  # as in Li et al. 2021, as long as there are four images a part
_MIXTURE_FLOOR = 1e-3  # added to each variance, of a total of 1 (ours: keeps parts with few images from collapsing)


def nce(theta: FloatArray, classes: Classes) -> float:
    """NCE: minus the entropy of the label given the teacher's top class: at most 0, higher is better.

    z = argmax of the pseudo-labels `theta [n, Z]`; mean over the images of log P(label | z), from counts (natural
    logarithm).

    >>> nce(np.array([[0.9, 0.1], [0.2, 0.8]]), Classes(np.array([0, 1])))
    0.0
    """
    joint = np.zeros((classes.number, theta.shape[1]))
    np.add.at(joint, (classes.codes, theta.argmax(axis=1)), 1)
    occurring = joint > 0
    share = np.divide(joint, joint.sum(axis=0), out=np.ones_like(joint), where=occurring)
    return float((joint * np.log(share)).sum() / len(theta)) + 0.0


def leep(theta: FloatArray, classes: Classes) -> float:
    """LEEP: log likelihood of the labels if each were drawn from the teacher's classes: at most 0, higher is better.

    P(y | z) from the summed pseudo-labels `theta [n, Z]`; mean over the images of log sum_z P(label | z) theta_z. A
    teacher's class that never fires contributes nothing.

    >>> leep(np.array([[1.0, 0.0], [0.0, 1.0]]), Classes(np.array([0, 1])))
    0.0
    """
    joint = classes.sums(theta)
    total = joint.sum(axis=0)
    conditional = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    likelihood = np.einsum("nz,nz->n", theta, conditional[classes.codes])
    return float(np.log(np.minimum(likelihood, 1.0)).mean()) + 0.0


def mixture_shares(features: Points, number_of_classes: int, seed: int = 0) -> FloatArray:
    """Share `[n, V]` of each part of a Gaussian mixture in each image; rows sum to 1. NLEEP is LEEP of these.

    The mixture has diagonal covariances and lives on the principal axes that hold 80 % of the variance. V is 5 parts a
    class, but at most one for four images and at least one a class. It depends on the `seed`, by about .1 of NLEEP
    either way, and not on the order of the images. Raises InvalidInputError for constant features.

    >>> points = Points(np.array([[0.0, 0.0], [0.1, 0.0], [9.0, 9.0], [9.1, 9.0]]))
    >>> round(leep(mixture_shares(points, 2), Classes(np.array([0, 0, 1, 1]))), 3) + 0.0
    0.0
    """
    from sklearn.exceptions import ConvergenceWarning  # takes a second to load, and no other metric needs it
    from sklearn.mixture import GaussianMixture

    points = _mixture_points(features)
    order = np.lexsort(np.round(points[:, ::-1], 9).T)
    parts = min(max(min(MIXTURE_PARTS_PER_CLASS * number_of_classes, len(points) // 4), number_of_classes), len(points))
    mixture = GaussianMixture(parts, covariance_type="diag", reg_covar=_MIXTURE_FLOOR, random_state=seed)
    responsibilities = np.empty((len(points), parts))
    with warnings.catch_warnings():
        # Fewer distinct images than parts, or one step short of convergence: the shares are right all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        responsibilities[order] = mixture.fit(points[order]).predict_proba(points[order])
    return responsibilities


def _mixture_points(points: Points) -> FloatArray:
    """Principal scores that hold `MIXTURE_ENERGY` of the variance, scaled to a total variance of 1."""
    if points.constant:
        raise InvalidInputError("NLEEP needs features that differ between images, and these are all the same.")
    deviation = points.unit * np.sqrt(points.lengths.sum() / points.n)
    scores = fixed_signs(points.principal(MIXTURE_DIMENSIONS)) / deviation
    held = np.cumsum(scores.var(axis=0))
    return np.asarray(scores[:, : int(np.searchsorted(held, MIXTURE_ENERGY)) + 1])


def _mixture(outputs: LabeledOutputs) -> FloatArray:
    """Shares of the parts of NLEEP's mixture in each image: `[n, V]`. It is fitted once, to all images, and not to each
    draw of them: it does not see the labels, and fits for all draws would take minutes.
    """
    if outputs.drawn_from is None:
        return mixture_shares(outputs.points, outputs.classes.number)
    whole, rows = outputs.drawn_from
    return np.asarray(whole.shared(_mixture)[rows])


NCE = Metric(
    key="nce",
    title="NCE",
    summary="How well does the teacher's single most likely class predict the label?",
    needs=("pseudo_labels", "labels"),
    range="at most 0; higher is better",
    rule="minmax",
    cost="n Z",
    reference="Tran et al. 2019",
    unit="nats per image",
    of_outputs=on_pseudo_labels(nce),
    card=Card(
        r"\frac1n\sum_i\log\hat P(y_i\mid z_i),\qquad z_i=\arg\max_k q_{ik}",
        "q: the teacher's class probabilities; P̂: shares counted on the labeled images.",
        "Only the teacher's most likely class of each image.",
        "With few images and many teacher classes each image gets a class of its own, and the score comes near 0, "
        "which is its best, for no merit.",
        "Tran, Nguyen, Hassner 2019, Transferability and Hardness of Supervised Classification Tasks, ICCV, arXiv "
        "1908.08142",
    ),
)

LEEP = Metric(
    key="leep",
    title="LEEP",
    summary="How well do the teacher's class probabilities predict the label?",
    needs=("pseudo_labels", "labels"),
    range="at most 0; higher is better",
    rule="minmax",
    cost="n Z + C Z",
    reference="Nguyen et al. 2020",
    unit="nats per image",
    of_outputs=on_pseudo_labels(leep),
    card=Card(
        r"\frac1n\sum_i\log\sum_k \hat P(y_i\mid k)\,q_{ik}",
        "q: the teacher's class probabilities; P̂(y | k): the labels' shares under the teacher's class k.",
        "The teacher's class probabilities; its features play no part.",
        "Favors teachers with many classes when labels are few. A teacher with good features and foreign classes "
        "scores low.",
        "Nguyen, Hassner, Seeger, Archambeau 2020, LEEP: A New Measure to Evaluate Transferability of Learned "
        "Representations, ICML, arXiv 2002.12462",
    ),
)

NLEEP = Metric(
    key="nleep",
    title="NLEEP",
    summary="LEEP with groups found in the teacher's features in place of its classes.",
    labels_per_class=2,
    range="at most 0; higher is better",
    rule="minmax",
    cost="n d² + n C per step of the mixture",
    reference="Li et al. 2021",
    unit="nats per image",
    turn=1,
    of_outputs=lambda outputs: leep(outputs.shared(_mixture), outputs.classes),
    card=Card(
        r"\frac1n\sum_i\log\sum_v \hat P(y_i\mid v)\,r_{iv}",
        "r: how far image i belongs to part v of a Gaussian mixture that is fitted to the features.",
        "Whether groups that form in the features by themselves are classes of yours.",
        "The mixture depends on its random start by about .1 either way, and it has fewer parts here than its authors' "
        "five a class where that would leave a part fewer than four images. For its intervals the mixture is fitted "
        "once, on all labeled images, since it does not see the labels.",
        "Li, Jia, Sang, Zhu, Green, Wang, Gong 2021, Ranking Neural Checkpoints, CVPR, arXiv 2011.11200",
    ),
)

METRICS = (NCE, LEEP, NLEEP)
