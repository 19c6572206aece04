"""Every metric against the golden values: tests/data/golden/README.md gives the definitions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.similarity import (
    debiased_linear_cka,
    gbc_diagonal,
    gbc_spherical,
    h_score,
    knn_cosine,
    knn_l2,
    leep,
    linear_cka,
    logme,
    nce,
    nearest_class_mean,
    parc,
    regularized_h_score,
    rsa,
    score,
    sfda,
    transrate,
)
from engine.similarity.alignment import one_hot

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
VALUES = json.loads((GOLDEN / "values.json").read_text())
CASES = np.load(GOLDEN / "cases.npz")

METRICS = {
    "parc": lambda x, x2, theta, y: parc(x, y),
    "rsa_features2": lambda x, x2, theta, y: rsa(x, x2),
    "rsa_pseudo_labels": lambda x, x2, theta, y: rsa(x, theta),
    "cka_features2": lambda x, x2, theta, y: linear_cka(x, x2),
    "cka_debiased_features2": lambda x, x2, theta, y: debiased_linear_cka(x, x2),
    "cka_labels": lambda x, x2, theta, y: linear_cka(x, one_hot(y)),
    "cka_debiased_labels": lambda x, x2, theta, y: debiased_linear_cka(x, one_hot(y)),
    "cka_pseudo_labels": lambda x, x2, theta, y: linear_cka(x, theta),
    "nce": lambda x, x2, theta, y: nce(theta, y),
    "leep": lambda x, x2, theta, y: leep(theta, y),
    "h_score": lambda x, x2, theta, y: h_score(x, y),
    "regularized_h_score": lambda x, x2, theta, y: regularized_h_score(x, y),
    "logme": lambda x, x2, theta, y: logme(x, y),
    "gbc_spherical_pca64": lambda x, x2, theta, y: gbc_spherical(x, y),
    "gbc_diagonal": lambda x, x2, theta, y: gbc_diagonal(x, y),
    "transrate": lambda x, x2, theta, y: transrate(x, y),
    "sfda": lambda x, x2, theta, y: sfda(x, y),
    "nearest_class_mean": lambda x, x2, theta, y: nearest_class_mean(x, y),
    "knn1_l2": lambda x, x2, theta, y: knn_l2(x, y, 1),
    "knn1_cosine": lambda x, x2, theta, y: knn_cosine(x, y, 1),
    "knn5_l2": lambda x, x2, theta, y: knn_l2(x, y, 5),
    "knn5_cosine": lambda x, x2, theta, y: knn_cosine(x, y, 5),
}
ALL = [(case, key) for case in VALUES for key in VALUES[case]]
# The near copies of this case differ by 1e-9, which float32 cannot hold: they become copies, and which of two copies
# with different labels is the nearer neighbor is another question than the one that float64 answers.
FLOAT32 = [(case, key) for case, key in ALL if not (case.startswith("neardup") and key.startswith("knn"))]


def inputs(case, dtype):
    arrays = [CASES[f"{case}/{name}"].astype(dtype) for name in ("features", "features2", "pseudo_labels")]
    return (*arrays, CASES[f"{case}/labels"])


def test_every_golden_key_is_tested():
    assert {key for values in VALUES.values() for key in values} == set(METRICS)


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


@pytest.mark.parametrize("key", METRICS)
def test_torch_tensors_give_the_same(key):
    x, x2, theta, y = (torch.from_numpy(array) for array in inputs("small_40x256_c4", np.float64))
    value = METRICS[key](x.requires_grad_(), x2, theta, y.numpy())
    assert value == pytest.approx(VALUES["small_40x256_c4"][key], rel=1e-6)


@pytest.mark.parametrize("key", ["parc", "cka_labels", "leep", "logme", "knn1_l2", "regularized_h_score"])
def test_half_precision_is_close(key):
    value = METRICS[key](*inputs("imbalanced_600x64_c7", np.float16))
    assert value == pytest.approx(VALUES["imbalanced_600x64_c7"][key], rel=1e-2)
