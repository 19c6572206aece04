"""The predictions that come with the program belong to the comparisons that come with it."""

import pytest

from engine.evaluation import accuracy
from engine.installation import bundled
from engine.results import results_in
from engine.review import open_task
from engine.runs import recorded_comparison, recorded_predictions

TASKS = sorted(folder.name for folder in (bundled("results") / "predictions").iterdir())
# Of accuracy: another PyTorch rounds otherwise, and its student is another one (clothes, fine-tuning: 6.9 points).
APART = 0.08


@pytest.mark.parametrize("name", TASKS)
def test_each_recorded_method_has_predictions_of_the_test_images(home, name):
    task = open_task(home, name)
    results = results_in(recorded_comparison(name), bundled("results") / f"{name}.json")
    for result in (found for found in results if found.seed == 0):
        found = recorded_predictions(name, result.method)
        assert found is not None, result.method
        assert found.classes == task.classes
        assert list(found.image_ids) == [task.images.image_ids[row] for row in task.test_rows]
        assert (found.labels == task.labels[task.test_rows]).all()
        assert accuracy(found.predicted, found.labels) == pytest.approx(result.accuracy, abs=APART)


def test_a_name_is_never_a_path():
    assert recorded_predictions("../predictions/emoji-fluent", "fine-tune") is None
    assert recorded_predictions("emoji-fluent", "../emoji-fluent/fine-tune") is None
