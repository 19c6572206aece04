"""Linear centered kernel alignment (CKA) of two sets of features, plain and debiased.

References: Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited"; Song et al. 2012, "Feature
Selection via Dependence Maximization" (the unbiased estimator of HSIC).
"""

from __future__ import annotations

import numpy as np

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.similarity.metric import Card, Metric
from engine.similarity.outputs import LabeledOutputs
from engine.similarity.points import Points

KERNEL_IMAGES = 2_048  # up to here the kernel of a matrix with few columns is cheap enough, if the other one has it
_ROUNDING = 1e-12  # a difference this small, relative to its terms, is 0


def cka(x: Points, y: Points) -> float:
    """Linear CKA of two sets of points: 0 (unrelated) to 1 (the same up to rotation and scale).

    ||X'Y||^2 / (||X'X|| ||Y'Y||) with centered columns and Frobenius norms. It grows with d / n even for noise:
    `debiased_cka` does not. Raises InvalidInputError if one of the two does not differ between images.

    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> round(cka(Points(x), Points(2 * x[:, ::-1])), 6)
    1.0
    """
    _require_spread(x, y)
    cross, own_x, own_y = _squared_norm(x, y), _squared_norm(x, x), _squared_norm(y, y)
    return float(cross / np.sqrt(own_x) / np.sqrt(own_y))


def debiased_cka(x: Points, y: Points) -> float:
    """Linear CKA from the unbiased HSIC: at most 1, about 0 for unrelated features, and then often negative.

    Raises TooFewLabelsError for fewer than 4 images, and InvalidInputError if the features have no spread to compare.

    >>> x = Points(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [2.0, 0.5]]))
    >>> round(debiased_cka(x, x), 6)
    1.0
    """
    _require_spread(x, y)
    if x.n < 4:
        raise TooFewLabelsError(f"The debiased CKA needs 4 images or more, and there are {x.n}: label more images.")
    own_x, own_y = _unbiased_hsic(x, x), _unbiased_hsic(y, y)
    if own_x <= _ROUNDING * _squared_norm(x, x) or own_y <= _ROUNDING * _squared_norm(y, y):
        raise InvalidInputError(
            "The debiased CKA divides by a spread that is not above 0 here: "
            "label several images of each class, and give features that differ."
        )
    return float(_unbiased_hsic(x, y) / np.sqrt(own_x) / np.sqrt(own_y))


def _require_spread(x: Points, y: Points) -> None:
    for points, name in ((x, "features"), (y, "the second matrix")):
        if points.constant:
            raise InvalidInputError(
                f"CKA needs two matrices that differ between images, and {name} has the same row for all of them."
            )


def _squared_norm(x: Points, y: Points) -> float:
    """||X'Y||^2 in the Frobenius norm, of the centered points in units, which CKA does not notice."""
    if x is y:
        return float(np.square(x.product).sum())
    if x.wide and (y.wide or x.n <= KERNEL_IMAGES):
        return float(np.vdot(x.kernel, y.kernel))
    return float(np.square((x.centered / x.unit).T @ (y.centered / y.unit)).sum())


def _unbiased_hsic(x: Points, y: Points) -> float:
    """n (n - 3) times the unbiased HSIC of two sets of points, both kernels' diagonals set to 0.

    With centered columns each row of a kernel sums to 0, so without its diagonal to -k_ii, and no kernel is formed.
    """
    n = x.n
    of_x, of_y = x.lengths, y.lengths
    both = float(of_x @ of_y)
    product = float(of_x.sum() * of_y.sum())
    return _squared_norm(x, y) - both + product / ((n - 1) * (n - 2)) - 2 / (n - 2) * both


def _second(outputs: LabeledOutputs) -> Points:
    """What the features are compared with: a second network's, or the labels as indicator columns."""
    if outputs.features2 is not None:
        return outputs.features2
    if outputs.classes.number == 1:
        raise TooFewLabelsError("CKA needs labeled images of two classes or more, and only one class occurs.")
    return outputs.classes.points


CKA = Metric(
    key="cka",
    title="CKA",
    summary="How much structure do the teacher's features share with the labels, or with a second network?",
    needs=("features",),
    needs_one_of=("features2", "labels"),
    range="0 to 1; higher is better, but noise in many dimensions scores above 0",
    rule="clip",
    cost="n d²",
    reference="Kornblith et al. 2019",
    unit="similarity",
    of_outputs=lambda outputs: cka(outputs.points, _second(outputs)),
    card=Card(
        r"\frac{\lVert X^\top Y\rVert_F^2}{\lVert X^\top X\rVert_F\,\lVert Y^\top Y\rVert_F}",
        "X: the features, centered; Y: the labels as indicator columns, centered.",
        "How much of the features' structure lines up with the classes.",
        "It grows with dimensions ÷ images even for noise, so it favors wide teachers when labels are few: read the "
        "debiased one beside it.",
        "Kornblith, Norouzi, Lee, Hinton 2019, Similarity of Neural Network Representations Revisited, ICML, arXiv "
        "1905.00414",
    ),
)

CKA_DEBIASED = Metric(
    key="cka_debiased",
    title="CKA, debiased",
    summary="CKA, corrected so that noise in many dimensions scores about 0.",
    needs=("features",),
    needs_one_of=("features2", "labels"),
    labels_per_class=2,
    range="up to 1; higher is better, about 0 is unrelated, may be negative",
    rule="clip",
    cost="n d²",
    reference="Nguyen et al. 2021; Song et al. 2012",
    unit="similarity",
    of_outputs=lambda outputs: debiased_cka(outputs.points, _second(outputs)),
    card=Card(
        r"\frac{\mathrm{HSIC}_u(X,Y)}{\sqrt{\mathrm{HSIC}_u(X,X)\,\mathrm{HSIC}_u(Y,Y)}}",
        "HSIC with the subscript u: the unbiased estimate, diagonals of both kernels left out.",
        "The same as CKA, with the part taken off that noise alone would have.",
        "A few directions with much variance decide it; what lies in small directions counts for nothing. It may be "
        "negative, which means no more than 0. The ratio of unbiased estimates is itself only nearly unbiased.",
        "Song, Smola, Gretton, Bedo, Borgwardt 2012, Feature Selection via Dependence Maximization, Journal of Machine "
        "Learning Research 13 (the estimate); Nguyen, Raghu, Kornblith 2021, Do Wide and Deep Networks Learn the Same "
        "Things?, ICLR, arXiv 2010.15327 (in CKA); Murphy, Zylberberg, Fyshe 2024, Correcting Biased Centered Kernel "
        "Alignment Measures in Biological and Artificial Neural Networks, arXiv 2405.01012 (why)",
    ),
)

METRICS = (CKA, CKA_DEBIASED)
