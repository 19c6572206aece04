"""Every metric against the golden values: tests/data/golden/README.md gives the definitions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.evaluation.arrays import as_labels, as_matrix
from engine.similarity import METRICS as REGISTERED
from engine.similarity import score
from engine.similarity.gaussians import gbc
from engine.similarity.neighbors import knn, voted_accuracy
from engine.similarity.points import Classes, Points

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
VALUES = json.loads((GOLDEN / "values.json").read_text())
CASES = np.load(GOLDEN / "cases.npz")


def by(name, second=None):
    """The metric as a ranking computes it; `second` of features2 and theta is the network it compares with."""

    def value(x, x2, theta, y):
        other = {"features2": {"features2": x2, "theta": theta}[second]} if second else {}
        return score(name, features=x, labels=y, pseudo_labels=theta, **other)

    return value


def diagonal_gbc(x, x2, theta, y):
    """A variance for each dimension: of two classes the overlap is then the product of those of each dimension."""
    x, y = as_matrix(x, "features"), as_labels(y)
    ids, total = np.unique(y), 0.0
    for first in range(len(ids)):
        for second in range(first + 1, len(ids)):
            two = np.isin(y, ids[[first, second]])
            classes = Classes(y[two])
            total -= 2 * np.prod([-gbc(Points(x[two, d : d + 1]), classes) / 2 for d in range(x.shape[1])])
    return total


def neighbors_by_cosine(x, y, k):
    x = as_matrix(x, "features")
    lengths = np.sqrt(np.einsum("nd,nd->n", x, x))[:, None]  # summed as for the golden values: of near copies
    # with different labels the last digit decides which is nearer
    units = x / np.where(lengths > 0, lengths, 1)
    return voted_accuracy(lambda rows: -(units[rows] @ units.T), Classes(as_labels(y)), k)


METRICS = {
    **{key: by(key) for key in REGISTERED},  # what has no variant
    "rsa_features2": by("rsa", "features2"),
    "rsa_pseudo_labels": by("rsa"),
    "cka_features2": by("cka", "features2"),
    "cka_debiased_features2": by("cka_debiased", "features2"),
    "cka_labels": by("cka"),
    "cka_debiased_labels": by("cka_debiased"),
    "cka_pseudo_labels": by("cka", "theta"),
    "gbc_spherical_pca64": by("gbc"),
    "gbc_diagonal": diagonal_gbc,
    "knn1_l2": by("knn"),
    "knn1_cosine": lambda x, x2, theta, y: neighbors_by_cosine(x, y, 1),
    "knn5_l2": lambda x, x2, theta, y: knn(Points(as_matrix(x, "features")), Classes(as_labels(y)), 5),
    "knn5_cosine": lambda x, x2, theta, y: neighbors_by_cosine(x, y, 5),
}
ALL = [(case, key) for case in VALUES for key in VALUES[case]]
# The near copies of this case differ by 1e-9, which float32 cannot hold: they become copies, and which of two copies
# with different labels is the nearer neighbor is another question than the one that float64 answers.
FLOAT32 = [(case, key) for case, key in ALL if not (case.startswith("neardup") and key.startswith("knn"))]


def inputs(case, dtype):
    arrays = [CASES[f"{case}/{name}"].astype(dtype) for name in ("features", "features2", "pseudo_labels")]
    return (*arrays, CASES[f"{case}/labels"])


def test_every_golden_key_is_tested():
    keys = {key for values in VALUES.values() for key in values}
    assert keys <= set(METRICS)
    assert set(METRICS) - set(REGISTERED) <= keys


@pytest.mark.parametrize(("case", "key"), ALL)
def test_golden_in_float64(case, key):
    assert METRICS[key](*inputs(case, np.float64)) == pytest.approx(VALUES[case][key], rel=1e-6)


@pytest.mark.parametrize(("case", "key"), FLOAT32)
def test_golden_in_float32(case, key):
    assert METRICS[key](*inputs(case, np.float32)) == pytest.approx(VALUES[case][key], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "key", "second"),
    [
        ("parc", "parc", None),
        ("rsa", "rsa_features2", "features2"),
        ("rsa", "rsa_pseudo_labels", None),
        ("cka", "cka_features2", "features2"),
        ("cka", "cka_labels", None),
        ("cka_debiased", "cka_debiased_features2", "features2"),
        ("cka_debiased", "cka_debiased_labels", None),
        ("nce", "nce", None),
        ("leep", "leep", None),
        ("logme", "logme", None),
        ("h_score", "h_score", None),
        ("regularized_h_score", "regularized_h_score", None),
        ("gbc", "gbc_spherical_pca64", None),
        ("transrate", "transrate", None),
        ("sfda", "sfda", None),
        ("nearest_class_mean", "nearest_class_mean", None),
        ("knn", "knn1_l2", None),
    ],
)
@pytest.mark.parametrize("case", ["small_40x256_c4", "singleton_200x48_c5"])
def test_score_finds_the_metric_and_its_second_argument(case, name, key, second):
    x, x2, theta, y = inputs(case, np.float64)
    value = score(name, features=x, labels=y, pseudo_labels=theta, features2=x2 if second else None)
    assert value == pytest.approx(VALUES[case][key], rel=1e-6)


@pytest.mark.parametrize("key", VALUES["small_40x256_c4"])
def test_torch_tensors_give_the_same(key):
    x, x2, theta, y = (torch.from_numpy(array) for array in inputs("small_40x256_c4", np.float64))
    value = METRICS[key](x.requires_grad_(), x2, theta, y.numpy())
    assert value == pytest.approx(VALUES["small_40x256_c4"][key], rel=1e-6)


@pytest.mark.parametrize("key", ["parc", "cka_labels", "leep", "logme", "knn1_l2", "regularized_h_score"])
def test_half_precision_is_close(key):
    value = METRICS[key](*inputs("imbalanced_600x64_c7", np.float16))
    assert value == pytest.approx(VALUES["imbalanced_600x64_c7"][key], rel=1e-2)
