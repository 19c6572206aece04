"""The consensus on made-up clusters, and on hand-made graphs."""

import numpy as np
import pytest

from engine.consensus import Ensemble, consensus, ensemble, graph
from engine.consensus.ensemble import sharpen
from engine.consensus.graph import (
    EDGE_POWER,
    EXACT_BELOW,
    TEACHER_DIMENSIONS,
    directions,
    exact_neighbors,
    joint_features,
    projected_directions,
)
from engine.errors import InvalidInputError
from engine.probes import fit_ridge


def clusters(classes=4, each=30, dimensions=12, noise=0.6, seed=0):
    """Two teachers that see the same clusters in different noise: features, true labels."""
    draws = np.random.default_rng(seed)
    truth = np.repeat(np.arange(classes), each)
    features = {}
    for teacher in ("one", "two"):
        centers = draws.normal(size=(classes, dimensions))
        features[teacher] = (centers[truth] + noise * draws.normal(size=(len(truth), dimensions))).astype(np.float32)
    return features, truth


LABELED = np.array([0, 1, 30, 31, 60, 61, 90, 91])  # two of each class of `clusters`
HALVES = {"one": 0.5, "two": 0.5}
HALVES_SEEN = {"seen": 0.5, "blind": 0.5}


def test_every_image_gets_probabilities():
    features, truth = clusters()
    found = consensus(features, HALVES, LABELED, truth[LABELED], 4)
    assert found.shape == (120, 4)
    assert found.dtype == np.float32
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == truth).mean() > 0.95


def test_without_neighbors_and_sharpening_it_is_the_weighted_mean_of_the_probes():
    features, truth = clusters()
    alpha = {"one": 0.25, "two": 0.75}
    plain = consensus(features, alpha, LABELED, truth[LABELED], 4, Ensemble(sharpness=1, neighbors=0))
    probes = {name: fit_ridge(f[LABELED], truth[LABELED], 4).predict_proba(f) for name, f in features.items()}
    expected = 0.25 * probes["one"] + 0.75 * probes["two"]
    others = np.setdiff1d(np.arange(120), LABELED)
    assert np.allclose(plain[others], expected[others], atol=1e-6)
    assert np.array_equal(plain[LABELED], np.eye(4, dtype=np.float32)[truth[LABELED]])


@pytest.mark.parametrize("seed", range(3))
def test_neighbors_correct_the_probes(seed):
    """With two labels a class and much noise the probes err; the unlabeled images around mend most of that."""
    features, truth = clusters(each=60, dimensions=20, noise=1.3, seed=seed)
    labeled = np.concatenate([np.flatnonzero(truth == c)[:2] for c in range(4)])
    right = {}
    for neighbors in (0, 10):
        found = consensus(features, HALVES, labeled, truth[labeled], 4, Ensemble(2, neighbors, 0.8))
        right[neighbors] = (found.argmax(axis=1) == truth).mean()
    assert right[10] > right[0] + 0.05


def test_propagation_agrees_with_a_hand_calculation():
    """Three images in a plane, centered: A and B point one way, C the other; each has one neighbor at least.

    A = (1, 0), B = (1, 0), C = (-2, 0): cosines A-B 1, A-C -1, B-C -1, clipped at 0. So the graph is the one edge A-B,
    normalized to 1. From (1, 0) at A, p at B: B's fixed point is b = s·a + (1 − s)·p, a = s·b + (1 − s)·1.
    """
    features = {"t": np.array([[1.0, 0.0], [1.0, 0.0], [-2.0, 0.0]], dtype=np.float32)}
    labeled, labels = np.array([0, 2]), np.array([0, 1])
    probe = fit_ridge(features["t"][labeled], labels, 2).predict_proba(features["t"])[1]
    s = 0.5
    a = (s * (1 - s) * probe[0] + (1 - s)) / (1 - s**2)
    b = s * a + (1 - s) * probe[0]
    total = s * (s * (1 - s) * probe[1]) / (1 - s**2) + (1 - s) * probe[1] + b  # the same for the other class
    found = consensus(features, {"t": 1.0}, labeled, labels, 2, Ensemble(1, 1, s))
    assert found[1, 0] == pytest.approx(b / total, rel=1e-5)
    assert found[2].tolist() == [0, 1]


def test_products_of_joint_features_are_the_weighted_cosines():
    features, _ = clusters(each=3)
    joint = joint_features(features, {"one": 0.3, "two": 0.7}).astype(float)
    centered = {n: f.astype(float) - f.astype(float).mean(axis=0) for n, f in features.items()}
    unit = {n: c / np.linalg.norm(c, axis=1, keepdims=True) for n, c in centered.items()}
    expected = 0.3 * unit["one"] @ unit["one"].T + 0.7 * unit["two"] @ unit["two"].T
    assert np.allclose(joint @ joint.T, expected, atol=1e-5)
    assert EDGE_POWER == 3


def test_sharpening_makes_opinions_surer_and_keeps_their_order():
    found = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    squared = sharpen(found, 2)
    assert squared[0].tolist() == pytest.approx([25 / 38, 9 / 38, 4 / 38])
    assert squared[1].tolist() == [1, 0, 0]
    assert np.array_equal(sharpen(found, 1), found)


def test_no_sharpness_makes_all_of_a_row_0():
    """(1/100)^200 is 0 in float64, for every class at once."""
    unsure = np.full((2, 100), 0.01)
    assert np.allclose(sharpen(unsure, 200), unsure)


def test_a_teacher_that_says_the_same_of_all_images_moves_no_neighbor():
    """A constant is not exactly its own mean in float32; what is left of it is no direction."""
    seen = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    blind = np.full((50, 5), 0.1, dtype=np.float32)
    joint = joint_features({"seen": seen, "blind": blind}, HALVES_SEEN)
    alone = joint_features({"seen": seen}, {"seen": 0.5})
    assert np.array_equal(joint @ joint.T, alone @ alone.T)


@pytest.mark.parametrize("share", [1, 1.0, float("nan"), -0.1])
def test_a_propagation_that_leaves_an_image_nothing_of_its_own_is_refused(share):
    with pytest.raises(InvalidInputError, match="propagation is"):
        Ensemble(propagation=share)


def test_an_image_without_neighbors_keeps_its_own():
    features = {"t": np.array([[1.0, 0.0], [1.0, 0.0], [-2.0, 0.0]], dtype=np.float32)}
    found = consensus(features, {"t": 1.0}, np.array([0, 2]), np.array([0, 1]), 2, Ensemble(1, 1, 0.999))
    assert found[2].tolist() == [0, 1]


def test_a_teacher_without_weight_has_no_say():
    features, truth = clusters()
    alone = consensus(features, {"one": 1.0}, LABELED, truth[LABELED], 4)
    silent = consensus(features, {"one": 1.0, "two": 0.0}, LABELED, truth[LABELED], 4)
    assert np.allclose(alone, silent, atol=1e-6)


@pytest.mark.parametrize("labeled", [[0], [0, 30]])
def test_few_labels_give_numbers(labeled):
    features, truth = clusters()
    found = consensus(features, HALVES, np.array(labeled), truth[labeled], 4)
    assert np.isfinite(found).all()
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)


def test_equal_features_and_two_images_give_numbers():
    same = {"t": np.ones((2, 3), dtype=np.float32)}
    found = consensus(same, {"t": 1.0}, np.array([0, 1]), np.array([0, 1]), 2)
    assert np.allclose(found, np.eye(2), atol=1e-5)


@pytest.mark.parametrize(
    ("alpha", "labeled", "labels", "said"),
    [
        ({}, [0], [0], "at least one teacher"),
        ({"three": 1.0}, [0], [0], "'three' has a weight and no features"),
        (HALVES, [], [], "one label for each"),
        (HALVES, [0, 1], [0], "one label for each"),
    ],
)
def test_what_is_missing_is_said(alpha, labeled, labels, said):
    features, _ = clusters()
    with pytest.raises(InvalidInputError, match=said):
        consensus(features, alpha, np.array(labeled, dtype=int), np.array(labels, dtype=int), 4)


def test_features_of_different_lengths_are_refused():
    features, truth = clusters()
    features["two"] = features["two"][:-1]
    with pytest.raises(InvalidInputError, match="different numbers of images"):
        consensus(features, HALVES, LABELED, truth[LABELED], 4)


class Read(dict):
    """Features that count how often each teacher's are read."""

    def __init__(self, features):
        super().__init__(features)
        self.reads = []

    def __getitem__(self, name):
        self.reads.append(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("exact", [True, False])
def test_each_teacher_is_read_once_and_what_is_done_is_told(exact, monkeypatch):
    monkeypatch.setattr(ensemble, "approximate_neighbors", exact_and_itself)
    features, truth = clusters()
    read, told = Read(features), []
    consensus(read, HALVES, LABELED, truth[LABELED], 4, exact=exact, progress=lambda *said: told.append(said))
    assert read.reads == ["one", "two"]
    assert told[:4] == [(done, 240, "images × teachers", told[0][3]) for done in (0, 0, 120, 120)]
    assert [said[:3] for said in told[5:]] == [(done, 50, "rounds") for done in range(50)]


@pytest.mark.parametrize("stage", ["Asking", "Searching", "Propagating"])
def test_who_is_told_can_stop_it(stage):
    def stop(done, total, unit, said):
        if said.startswith(stage):
            raise KeyboardInterrupt

    features, truth = clusters()
    with pytest.raises(KeyboardInterrupt):
        consensus(features, HALVES, LABELED, truth[LABELED], 4, progress=stop)


def exact_and_itself(joint, neighbors, threads=None):
    """In place of the approximate search, which compiles itself for most of a minute: its form, exactly."""
    others = exact_neighbors(joint, neighbors)
    return np.concatenate([np.arange(len(joint))[:, None], others, np.full((len(joint), 1), -1)], axis=1)


def test_projected_features_lead_to_the_same_consensus(monkeypatch):
    """Three teachers of 300 dimensions, of which 128 are kept, then 256 of 384: nearly every image as before."""
    monkeypatch.setattr(ensemble, "approximate_neighbors", exact_and_itself)
    draws = np.random.default_rng(0)
    truth, hidden = np.repeat(np.arange(20), 100), draws.normal(size=(20, 40))
    latent = hidden[truth] + 1.0 * draws.normal(size=(2000, 40))
    features = {
        name: np.maximum(latent @ draws.normal(size=(40, 300)) + draws.normal(size=(2000, 300)), 0).astype(np.float32)
        for name in ("a", "b", "c")
    }
    alpha = {"a": 0.5, "b": 0.3, "c": 0.2}
    labeled = np.concatenate([np.flatnonzero(truth == c)[:2] for c in range(20)])
    found = [consensus(features, alpha, labeled, truth[labeled], 20, exact=exact) for exact in (True, False)]
    right = [(one.argmax(axis=1) == truth).mean() for one in found]
    assert found[1].dtype == np.float32
    assert np.allclose(found[1].sum(axis=1), 1, atol=1e-5)
    assert (found[0].argmax(axis=1) == found[1].argmax(axis=1)).mean() > 0.98
    assert right[0] > 0.9
    assert right[1] > right[0] - 0.01


def test_a_projection_keeps_cosines_and_leaves_a_blind_teacher_silent():
    draws = np.random.default_rng(0)
    rows = (draws.normal(size=(500, 30)) @ draws.normal(size=(30, 400)) + 5).astype(np.float32)
    whole, kept = directions(rows, 0.3), projected_directions(rows, 0.3)
    assert kept.shape == (500, TEACHER_DIMENSIONS)
    assert np.allclose(kept @ kept.T, whole @ whole.T, atol=1e-4)
    assert not projected_directions(np.full((50, 400), 0.1, dtype=np.float32), 0.5).any()


def test_classes_propagate_some_at_a_time_to_the_same_bits(monkeypatch):
    features, truth = clusters()
    whole = consensus(features, HALVES, LABELED, truth[LABELED], 4)
    monkeypatch.setattr(graph, "_ENTRIES_AT_ONCE", 120)
    monkeypatch.setattr(graph, "_ROWS_AT_ONCE", 7)
    assert np.array_equal(consensus(features, HALVES, LABELED, truth[LABELED], 4), whole)


def test_images_in_blocks_have_the_same_consensus(monkeypatch):
    """Within rounding: the exact way keeps all images in one block, so that nothing changes there."""
    features, truth = clusters()
    whole = consensus(features, HALVES, LABELED, truth[LABELED], 4)
    monkeypatch.setattr(ensemble, "BLOCK", 32)
    assert np.allclose(consensus(features, HALVES, LABELED, truth[LABELED], 4), whole, atol=1e-6)
    assert EXACT_BELOW == 20_000
