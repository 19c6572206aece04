import pytest

from app.components import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (8, "8 s"), (59.6, "1 min 0 s"), (95, "1 min 35 s"), (1800, "30 min"), (4020, "1 h 7 min")],
)
def test_durations_are_rounded_to_what_matters(seconds, text):
    assert wording.duration(seconds) == text


def test_shares_and_differences():
    assert wording.percent(0.615) == "61.5 %"
    assert wording.percent(0.325, 0) == "33 %"
    assert wording.points(0.0523) == "+5.2"
    assert wording.points(-0.0523) == "−5.2"


def test_counts_and_lists():
    assert wording.count(1, "seed") == "1 seed"
    assert wording.count(24_000, "image") == "24,000 images"
    assert wording.count(3, "class", "classes") == "3 classes"
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
    assert wording.listed([]) == ""


def test_moments():
    assert wording.moment("2026-11-20T07:05:00+00:00") == "20 Nov 2026, 07:05 UTC"
    assert wording.moment("some day") == "some day"


def test_what_is_shared_is_one_sentence():
    shared = {"images": 24_000, "task": "quickdraw", "size": 64, "seeds": [0, 1], "labels_per_class": 5}
    assert wording.shared_sentence(shared) == (
        "These runs share: task quickdraw, 5 labels per class, seeds 0, 1, 24,000 student images each, "
        "images of 64 × 64 pixels."
    )


def test_what_is_not_shared_is_said_only_when_there_is_something():
    assert wording.differs_sentence([]) is None
    assert wording.differs_sentence(["images", "seeds"]) == (
        "These runs do not share: the budget of student images and the seeds. Their numbers do not compare fairly."
    )
