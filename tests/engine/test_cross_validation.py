"""The consensus judged on labels that it was not told, on points whose answers are plain."""

import numpy as np
import pytest

from engine.consensus import Ensemble, consensus, cross_validated
from engine.consensus.cross_validation import FOLDS, MANY
from engine.methods import get_method
from engine.methods.made_up import MadeUp
from tests.engine.test_consensus import HALVES, LABELED, clusters


def nearest(points, labeled, labels, asked=None):
    """Every image is of the class of the nearest labeled one; `asked` remembers which labels were shown."""

    def say(known):
        if asked is not None:
            asked.append(known)
        distance = np.abs(points[:, None] - points[labeled[known]][None, :])
        return np.eye(labels.max() + 1)[labels[known][distance.argmin(axis=1)]]

    return say


def test_each_label_is_left_out_once_and_judged_without_itself():
    """Ten points in two heaps, one of which is labeled as the other heap: that one is wrong, all others right."""
    points = np.array([9.0, 0, 1, 2, 3, 4, 100, 101, 102, 103, 104])  # the first is not labeled
    labeled, labels, asked = np.arange(1, 11), np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1]), []
    found = cross_validated(nearest(points, labeled, labels, asked), labeled, labels)
    assert found.judged.all()
    assert found.right.tolist() == [True, True, True, True, False] + [True] * 5  # 4 is nearest to 3
    assert found.folds == len(asked) == FOLDS
    left_out = [np.setdiff1d(np.arange(10), known) for known in asked]
    assert sorted(np.concatenate(left_out).tolist()) == list(range(10))
    assert [len(places) for places in left_out] == [2] * FOLDS
    assert max((labels[places] == 0).sum() for places in left_out) == 1  # classes are spread evenly


def test_images_of_a_group_are_left_out_together():
    """Twins are of two classes at one place, so that a twin that stayed would always mislead."""
    points = np.repeat(np.arange(6.0), 2)
    labels, labeled, asked = np.array([0, 1] * 6), np.arange(12), []
    cross_validated(nearest(points, labeled, labels, asked), labeled, labels, np.repeat(np.arange(6), 2))
    for known in asked:
        assert set(known // 2) & set(np.setdiff1d(labeled, known) // 2) == set()


def test_a_class_that_would_lose_its_last_label_is_not_judged():
    labels, labeled = np.array([0, 0, 0, 1]), np.arange(4)
    found = cross_validated(nearest(np.array([0.0, 1, 2, 50]), labeled, labels), labeled, labels)
    assert found.judged.tolist() == [True, True, True, False]
    assert found.right.tolist() == [True, True, True, False]


@pytest.mark.parametrize(("labels", "groups"), [([0, 1, 2], None), ([0], None), ([0, 0, 1, 1], [5, 5, 5, 5])])
def test_where_nothing_can_be_left_out_nothing_is_said(labels, groups):
    labels, labeled = np.array(labels), np.arange(len(labels))
    assert cross_validated(nearest(labeled.astype(float), labeled, labels), labeled, labels, groups) is None


def test_of_many_labels_a_fifth_is_left_out_once():
    labels, labeled, asked = np.arange(MANY + 5) % 3, np.arange(MANY + 5), []
    found = cross_validated(nearest(labels.astype(float), labeled, labels, asked), labeled, labels)
    assert (len(asked), found.judged.sum()) == (1, (MANY + 5) / FOLDS)
    assert found.right[found.judged].all()


def test_a_graph_that_is_known_gives_the_same_consensus():
    """It depends on no label: the second call, with fewer labels, finds it there."""
    features, truth = clusters()
    graphs = {}
    consensus(features, HALVES, LABELED, truth[LABELED], 4, graphs=graphs)
    assert len(graphs) == 1
    fewer = LABELED[1:]
    known = consensus(features, HALVES, fewer, truth[fewer], 4, exact=False, graphs=graphs)
    anew = consensus(features, HALVES, fewer, truth[fewer], 4)
    assert len(graphs) == 1
    assert np.allclose(known, anew, atol=1e-5)
    other = consensus(features, HALVES, fewer, truth[fewer], 4, Ensemble(neighbors=3), graphs=graphs)
    assert np.array_equal(other, consensus(features, HALVES, fewer, truth[fewer], 4, Ensemble(neighbors=3)))


def test_what_the_student_learns_can_be_had_from_some_of_the_labels():
    material = MadeUp(threads=1)
    opinion = get_method("distill-consensus").recipe().settings.prepare(material).opinion
    known = np.arange(len(material.labeled))[1:]
    found, all_known = opinion.from_labels(known), opinion.probabilities.float().numpy()
    assert found.shape == all_known.shape
    assert all_known[material.labeled[0]].argmax() == material.labels[0]  # it was told
    assert np.allclose(opinion.from_labels(np.arange(len(material.labeled))), all_known, atol=2e-3)  # in half precision
    assert get_method("fine-tune").recipe().settings.prepare(material).opinion is None
