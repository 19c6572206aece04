"""What every metric promises, on what real teachers say of real images; more dimensions than images, half precision."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInputError
from engine.features import FeatureStore, extract
from engine.similarity import METRICS, score
from engine.similarity.outputs import LabeledOutputs
from engine.similarity.registry import score_of
from engine.tasks import Draw
from engine.teachers import get_teacher

ON_ARRAYS = [name for name, record in METRICS.items() if "record" not in record.needs]
SCALE_FREE = ["parc", "rsa", "cka", "cka_debiased", "nleep", "logme", "h_score", "regularized_h_score", "knn", "probe"]
ROTATION_FREE = [
    name for name in ON_ARRAYS if "features" in METRICS[name].needs and name not in ("parc", "rsa", "sfda", "probe")
]
FEW = settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=["mnist"])
def real(request, shared_home, emoji):
    """Features, pseudo-labels and labels of one teacher on five images of each class."""
    rows, teacher = emoji.labeled_rows(Draw(5, 0)), get_teacher(shared_home, request.param)
    extract(shared_home, emoji, [teacher], rows)
    outputs = FeatureStore(shared_home, emoji, teacher).read(rows)
    return {"features": outputs.features, "pseudo_labels": outputs.pseudo_labels, "labels": emoji.labels[rows]}


@pytest.mark.parametrize("name", ON_ARRAYS)
@FEW
@given(seed=st.integers(0, 10_000))
def test_names_of_labels_and_order_of_images_do_not_matter(name, real, seed):
    rng = np.random.default_rng(seed)
    expected = score(name, **real)
    ids = rng.permutation(1000)[: real["labels"].max() + 1] - 500  # with holes, and negative ones
    assert score(name, **{**real, "labels": ids[real["labels"]]}) == pytest.approx(expected, rel=1e-7, abs=1e-8)
    order = rng.permutation(len(real["labels"]))
    shuffled = score(name, **{key: value[order] for key, value in real.items()})
    assert shuffled == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", SCALE_FREE)
@FEW
@given(scale=st.floats(1e-3, 1e3))
def test_scale_does_not_matter(name, real, scale):
    scaled = {**real, "features": scale * real["features"].astype(np.float64)}
    assert score(name, **scaled) == pytest.approx(score(name, **real), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", ROTATION_FREE)
@FEW
@given(seed=st.integers(0, 10_000))
def test_rotation_does_not_matter(name, real, seed):
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(real["features"].shape[1], 60)))[0]
    features = real["features"].astype(np.float64)
    reflected = features - 2 * (features @ axes) @ axes.T  # sixty reflections: a rotation that is cheap to make
    assert score(name, **{**real, "features": reflected}) == pytest.approx(score(name, **real), rel=1e-6, abs=1e-7)


@FEW
@given(seed=st.integers(0, 10_000), size=st.floats(1e-12, 1e-7))
def test_logme_does_not_change_with_dimensions_near_zero(real, seed, size):
    padding = size * np.random.default_rng(seed).normal(size=(len(real["labels"]), 2048))
    padded = np.hstack([real["features"], padding])
    assert score("logme", **{**real, "features": padded}) == pytest.approx(score("logme", **real), abs=1e-6)


CHANGES = {
    "a class with one image": lambda a: {key: value[a["labels"].argsort()][4:] for key, value in a.items()},
    "copies": lambda a: {key: np.concatenate([value, value[:20]]) for key, value in a.items()},
    "copies with another label": lambda a: {
        key: np.concatenate([value, value[:20] if key != "labels" else (value[:20] + 1) % 9])
        for key, value in a.items()
    },
    "constant dimensions": lambda a: {**a, "features": np.hstack([a["features"], np.full((len(a["labels"]), 7), 0.1)])},
    "dead features": lambda a: {**a, "features": np.where(a["features"] > 1, a["features"], 0)},
    "empty source classes": lambda a: {**a, "pseudo_labels": np.eye(40)[a["labels"]]},
    "two images a class": lambda a: {key: value[np.arange(len(value)) % 5 < 2] for key, value in a.items()},
    "constant features": lambda a: {**a, "features": np.ones_like(a["features"])},
}


@pytest.mark.parametrize("name", ON_ARRAYS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_number_or_a_sentence_never_a_silent_nan(name, change, real):
    outcome = outcome_of(name, CHANGES[change](real))
    if isinstance(outcome, str):
        assert len(outcome) > 40
        assert change in ("constant features", "dead features", "two images a class"), outcome
    else:
        assert np.isfinite(outcome)


def outcome_of(name, arrays):
    try:
        return score(name, **arrays)
    except InvalidInputError as error:
        return str(error)


@pytest.mark.parametrize("name", [name for name in ON_ARRAYS if name != "nleep"])
def test_a_draw_scores_as_its_images_alone(name, real):
    """What a draw takes from the kernel of all is what its rows alone would give; NLEEP's mixture is of all images."""
    whole = LabeledOutputs.of(**real)
    for seed in range(3):
        rows = np.sort(np.random.default_rng(seed).permutation(len(real["labels"]))[:27])
        alone = score(name, **{key: value[rows] for key, value in real.items()})
        assert score_of(name, whole.take(rows)) == pytest.approx(alone, rel=1e-6, abs=1e-8)
