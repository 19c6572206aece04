"""The registry and `score`: what every metric promises."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInputError, TooFewLabelsError, UnknownNameError
from engine.similarity import METRICS, metric, score

ON_ARRAYS = [name for name, record in METRICS.items() if "record" not in record.needs]
USES_FEATURES = [name for name in ON_ARRAYS if "features" in METRICS[name].needs]
USES_LABELS = [name for name in ON_ARRAYS if METRICS[name].labels_per_class]
RULES = dict.fromkeys(("parc", "rsa", "cka", "cka_debiased", "knn", "probe"), "clip")
RULES |= dict.fromkeys(
    (
        "nce",
        "leep",
        "nleep",
        "logme",
        "h_score",
        "regularized_h_score",
        "gbc",
        "transrate",
        "sfda",
        "nearest_class_mean",
    ),
    "minmax",
)


def arrays(n=30, d=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    features = rng.normal(size=(classes, d))[labels] + rng.normal(size=(n, d))
    return {"features": features, "labels": labels, "pseudo_labels": rng.dirichlet(np.ones(5), n)}


@pytest.mark.parametrize("name", METRICS)
def test_every_record_is_complete(name):
    record = METRICS[name]
    assert record.key == name
    assert record.summary.endswith((".", "?"))
    assert all((record.title, record.range, record.cost, record.reference, record.unit))
    assert ";" in record.range
    assert record.scale in (1, 100)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_card_for_its_reader(name):
    card = METRICS[name].card
    assert all(text.strip() and not text.endswith(" ") for text in vars(card).values())
    assert card.formula.count("{") == card.formula.count("}")
    assert METRICS[name].reference.split()[-1] in card.reference or name in ("static", "random")


@pytest.mark.parametrize("name", RULES)
def test_rule_is_clip_for_correlations_similarities_and_accuracies_only(name):
    assert METRICS[name].rule == RULES[name]


@pytest.mark.parametrize(
    ("name", "needed"), [("parc", 2), ("cka_debiased", 2), ("knn", 2), ("sfda", 2), ("gbc", 2), ("probe", 3)]
)
def test_labels_per_class(name, needed):
    assert METRICS[name].labels_per_class == needed
    inputs = arrays(n=4 * (needed - 1), classes=4)
    with pytest.raises(TooFewLabelsError, match=f"needs {needed}"):
        score(name, **inputs)
    inputs = arrays(n=4 * needed, classes=4)
    assert np.isfinite(score(name, **inputs))


@pytest.mark.parametrize("name", USES_LABELS)
def test_one_class_with_enough_labels_is_enough(name):
    inputs = arrays(n=24, classes=3)
    inputs["labels"] = np.where(np.arange(24) == 5, 99, inputs["labels"])
    assert np.isfinite(score(name, **inputs))


@pytest.mark.parametrize("name", ["parc", "cka", "cka_debiased", "sfda"])
def test_what_compares_classes_needs_two_of_them(name):
    inputs = arrays()
    with pytest.raises(TooFewLabelsError, match="two classes or more, and only one class occurs"):
        score(name, **{**inputs, "labels": np.zeros(30, int)})


@pytest.mark.parametrize("name", ["cka", "cka_debiased"])
def test_labels_are_not_asked_for_where_two_networks_are_compared(name):
    inputs = arrays()
    second = inputs["features"] ** 2
    expected = score(name, features=inputs["features"], features2=second)
    for labels in (np.zeros(30, int), np.arange(30)):
        assert score(name, features=inputs["features"], features2=second, labels=labels) == expected


def test_unknown_metric_suggests():
    with pytest.raises(UnknownNameError, match="did you mean leep"):
        score("leap", **arrays())
    assert metric("parc").title == "PARC"


@pytest.mark.parametrize("name", ["static", "random"])
def test_metrics_of_the_record_take_no_arrays(name):
    assert METRICS[name].needs == ("record",)
    with pytest.raises(InvalidInputError, match="record"):
        score(name, **arrays())


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_missing_input_is_named(name):
    record = METRICS[name]
    for missing in record.needs:
        with pytest.raises(InvalidInputError, match=f"needs {missing}"):
            score(name, **{key: value for key, value in arrays().items() if key != missing})
    if record.needs_one_of:
        with pytest.raises(InvalidInputError, match=f"needs {' or '.join(record.needs_one_of)}"):
            score(name, features=arrays()["features"])


@pytest.mark.parametrize("name", ON_ARRAYS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(name, bad):
    for key in ("features", "pseudo_labels"):
        inputs = arrays()
        inputs[key][3, 1] = bad
        with pytest.raises(InvalidInputError, match=f"{key} row 3, column 1"):
            score(name, **inputs)


@pytest.mark.parametrize("name", ON_ARRAYS)
@pytest.mark.parametrize("short", ["features", "labels", "pseudo_labels"])
def test_different_lengths_are_refused(name, short):
    inputs = arrays()
    inputs[short] = inputs[short][:-1]
    with pytest.raises(InvalidInputError, match=f"{short} has 29"):
        score(name, **inputs)


@pytest.mark.parametrize("name", ON_ARRAYS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda theta: 2 * theta, "sums to 2"),
        (lambda theta: np.log(theta), "cannot be negative"),
        (lambda theta: theta[:, 0], "has shape"),
    ],
)
def test_pseudo_labels_that_are_none_are_refused(name, change, message):
    inputs = arrays()
    inputs["pseudo_labels"] = change(inputs["pseudo_labels"])
    with pytest.raises(InvalidInputError, match=message):
        score(name, **inputs)


@pytest.mark.parametrize("labels", [np.arange(30) / 2, np.array(["a"] * 30), np.zeros((30, 1), int), []])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(InvalidInputError, match="labels"):
        score("parc", features=arrays()["features"], labels=labels)


@pytest.mark.parametrize("features", [np.zeros((0, 4)), np.zeros((30, 0)), np.zeros(30), np.full((30, 2), 1j)])
def test_features_that_are_none_are_refused(features):
    with pytest.raises(InvalidInputError, match="features"):
        score("logme", features=features, labels=np.arange(30) % 2)


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_inputs_are_not_changed_and_the_value_repeats(name):
    inputs = arrays()
    copies = {key: value.copy() for key, value in inputs.items()}
    assert score(name, **inputs) == score(name, **inputs)
    assert all(np.array_equal(inputs[key], copies[key]) for key in inputs)


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_tensors_of_any_kind_are_read(name):
    inputs = arrays()
    expected = score(name, **inputs)
    tensors = {key: torch.from_numpy(value) for key, value in inputs.items()}
    tensors["features"].requires_grad_()
    assert score(name, **tensors) == expected
    tensors["features"] = tensors["features"].bfloat16()
    assert np.isfinite(score(name, **tensors))
    if torch.cuda.is_available():
        assert score(name, **{key: value.cuda() for key, value in tensors.items()}) == score(name, **tensors)


DEGENERATE = {
    "a class with one image": lambda x, y, t: (x, np.r_[7, y[1:]], t),
    "one image a class": lambda x, y, t: (x, np.arange(len(y)), t),
    "one class": lambda x, y, t: (x, 0 * y, t),
    "one image": lambda x, y, t: (x[:1], y[:1], t[:1]),
    "two images": lambda x, y, t: (x[:2], np.array([0, 1]), t[:2]),
    "three images": lambda x, y, t: (x[:3], np.array([0, 0, 1]), t[:3]),
    "constant dimensions": lambda x, y, t: (np.hstack([x, np.full((len(x), 3), 0.1)]), y, t),
    "constant features": lambda x, y, t: (np.full((len(x), 4), 0.3), y, t),
    "rows of zeros": lambda x, y, t: (np.vstack([x[:-3], np.zeros((3, x.shape[1]))]), y, t),
    "copies": lambda x, y, t: (np.repeat(x[: len(x) // 2], 2, axis=0), y, t),
    "copies only": lambda x, y, t: (x[y], y, t),
    "one dimension": lambda x, y, t: (x[:, :1], y, t),
    "many more dimensions": lambda x, y, t: (np.random.default_rng(0).normal(size=(len(x), 3000)), y, t),
    "empty source classes": lambda x, y, t: (x, y, np.eye(9)[y]),
    "one source class": lambda x, y, t: (x, y, np.ones((len(x), 1))),
    "ids with holes": lambda x, y, t: (x, 1000 * y - 500, t),
    "huge": lambda x, y, t: (1e150 * x, y, t),
    "tiny": lambda x, y, t: (1e-150 * x, y, t),
    "far from 0": lambda x, y, t: (x + 1e6, y, t),
    "booleans": lambda x, y, t: (x > 0, y > 0, t),
}


def outcome_of(name, features, labels, pseudo_labels):
    """The value, or the sentence in its place; any other exception is a failure."""
    try:
        return score(name, features=features, labels=labels, pseudo_labels=pseudo_labels)
    except InvalidInputError as error:
        return str(error)


@pytest.mark.parametrize("name", ON_ARRAYS)
@pytest.mark.parametrize("case", DEGENERATE)
def test_a_number_or_a_sentence_never_a_silent_nan(name, case):
    inputs = arrays(n=24, classes=4)
    x, y, theta = DEGENERATE[case](inputs["features"], inputs["labels"], inputs["pseudo_labels"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = outcome_of(name, x, y, theta)
    assert np.isfinite(outcome) if isinstance(outcome, float) else len(outcome) > 40


@pytest.mark.parametrize("name", ON_ARRAYS)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4))
def test_names_of_labels_and_order_of_images_do_not_matter(name, seed, classes):
    inputs = arrays(n=28, classes=classes, seed=seed)
    expected = score(name, **inputs)
    ids = np.random.default_rng(seed).permutation(100)[:classes] - 50
    renamed = score(name, **{**inputs, "labels": ids[inputs["labels"]]})
    assert renamed == pytest.approx(expected, rel=1e-9, abs=1e-9)
    order = np.random.default_rng(seed + 1).permutation(28)
    shuffled = score(name, **{key: value[order] for key, value in inputs.items()})
    assert shuffled == pytest.approx(expected, rel=1e-7, abs=1e-9)


SCALE_FREE = ["parc", "rsa", "cka", "cka_debiased", "nleep", "logme", "h_score", "regularized_h_score", "knn", "probe"]
ROTATION_FREE = [name for name in USES_FEATURES if name not in ("parc", "rsa", "sfda", "probe")]


@pytest.mark.parametrize("name", SCALE_FREE)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3))
def test_scale_does_not_matter(name, seed, scale):
    inputs = arrays(seed=seed)
    scaled = {**inputs, "features": scale * inputs["features"]}
    assert score(name, **scaled) == pytest.approx(score(name, **inputs), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ROTATION_FREE)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rotation_does_not_matter(name, seed):
    inputs = arrays(seed=seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))[0]
    rotated = {**inputs, "features": inputs["features"] @ rotation}
    assert score(name, **rotated) == pytest.approx(score(name, **inputs), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ["parc", "gbc", "sfda", "knn", "h_score", "nearest_class_mean", "transrate", "cka"])
def test_a_shift_of_all_features_does_not_matter(name):
    inputs = arrays()
    shifted = {**inputs, "features": inputs["features"] + np.arange(6)}
    assert score(name, **shifted) == pytest.approx(score(name, **inputs), rel=1e-9)


@pytest.mark.parametrize("name", USES_LABELS)
def test_a_teacher_that_knows_the_classes_beats_one_that_does_not(name):
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 4
    knowing = 4 * np.eye(4)[labels] @ rng.normal(size=(4, 10)) + rng.normal(size=(80, 10))
    sure = 0.9 * np.eye(4)[labels] + 0.1 / 4
    good = score(name, features=knowing, labels=labels, pseudo_labels=sure)
    bad = score(name, features=rng.normal(size=(80, 10)), labels=labels, pseudo_labels=rng.dirichlet(np.ones(4), 80))
    assert good > bad


def test_torch_is_not_imported():
    program = "import sys, engine.similarity, engine.weighting, engine.probes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
