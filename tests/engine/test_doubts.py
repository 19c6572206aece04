import numpy as np
import pytest

from engine.consensus import doubts
from engine.errors import TooFewLabelsError
from engine.probes import left_out


def test_the_rule_by_hand():
    said = np.array(
        [
            [0.9, 0.1, 0.0],
            [0.7, 0.3, 0.0],
            [0.2, 0.8, 0.0],  # labeled 0; above class 1's mean of .7
            [0.1, 0.9, 0.0],
            [0.5, 0.5, 0.0],  # labeled 1; below both means
            [0.65, 0.35, 0.0],  # labeled 2, the only one of its class
        ]
    )
    labels = np.array([0, 0, 0, 1, 1, 2])
    # Means of their own classes: 0.6 of class 0, 0.7 of class 1.
    found = doubts(said, labels)
    assert (found.places.tolist(), found.suggested.tolist()) == ([2], [1])


def test_a_label_can_be_doubted_where_its_class_is_the_most_probable_one():
    """Classes that are hard to tell have a low mean, which is what counts."""
    said = np.array([[0.95, 0.05], [0.95, 0.05], [0.6, 0.4], [0.7, 0.3], [0.7, 0.3]])
    found = doubts(said, np.array([0, 0, 0, 1, 1]))
    assert found.places.tolist() == [2]  # .6 is less than class 0's .83, .4 more than class 1's .3


def test_the_most_doubtful_come_first():
    said = np.array([[0.9, 0.1], [0.2, 0.8], [0.05, 0.95], [0.1, 0.9], [0.4, 0.6]])
    found = doubts(said, np.array([0, 0, 0, 1, 1]))  # means .383 and .75
    assert found.places.tolist() == [2, 1, 4]  # .9, .6 and -.2 more probable than their own


def test_flipped_labels_among_hundreds_are_found():
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 60)
    rows = 4 * np.eye(4)[truth] @ random.normal(size=(4, 30)) + random.normal(size=(240, 30))
    wrong = random.choice(240, 20, replace=False)
    labels = truth.copy()
    labels[wrong] = (labels[wrong] + random.integers(1, 4, 20)) % 4
    found = doubts(left_out(rows, labels, 4), labels)
    assert set(wrong) <= set(found.places[:22])
    first = found.places[:20]
    assert (truth[first] == found.suggested[:20]).mean() > 0.9


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 0, 1], [0, 1, 2]])
def test_too_few_labels_are_a_sentence(labels):
    with pytest.raises(TooFewLabelsError, match="two images of two classes"):
        doubts(np.full((3, 3), 1 / 3), np.array(labels))
