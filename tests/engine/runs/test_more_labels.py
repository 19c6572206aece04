from dataclasses import replace

import pytest

from engine.evaluation import Interval, accuracy_interval
from engine.results import IntervalRecord
from engine.runs import (
    RECORDED,
    LabelPoint,
    entries_of,
    label_curve,
    label_curve_specs,
    read_run,
    seconds_of,
    would_more_help,
)
from tests.app import made_runs

NO_BREAK = "\u00a0"


def point(labels, *accuracies):
    interval = accuracy_interval(accuracies, 200)
    return LabelPoint(labels, 9 * labels, sum(accuracies) / len(accuracies), interval, 200, dict(enumerate(accuracies)))


@pytest.mark.parametrize(
    ("before", "last", "said"),
    [
        ((0.60, 0.61, 0.62), (0.70, 0.715, 0.72), "More labels helped, so still more are likely to help."),
        ((0.70, 0.715, 0.72), (0.60, 0.61, 0.62), "More labels did not help"),
        ((0.60, 0.70, 0.65), (0.68, 0.63, 0.66), "cannot be told from chance here"),
        ((0.60,), (0.70,), "One seed cannot say"),
    ],
)
def test_the_last_labels_say_whether_more_would_help(before, last, said):
    found = would_more_help([point(2, 0.5), point(5, *before), point(10, *last)])
    assert said in found
    assert found.startswith("From 45 to 90 labels the accuracy went from ")


def test_the_gain_is_paired_by_seed():
    found = would_more_help([point(5, 0.60, 0.61, 0.62), point(10, 0.70, 0.715, 0.72)])
    assert f"61.0{NO_BREAK}% to 71.2{NO_BREAK}% (+10.2 points, 95{NO_BREAK}% interval +9.4 to +10.9)" in found
    assert would_more_help([point(5, 0.6)]) == ""


def test_runs_that_are_there_are_not_made_again(home):
    task, comparison = made_runs.planned(home, ["fine-tune"], [1], labels_per_class=5, images=640)
    made_runs.finish(home, comparison)
    most = int(task.available_labels().max())
    specs = label_curve_specs(home, task, comparison.id, "fine-tune", device="cpu")
    assert [(spec.labels_per_class, spec.seed) for spec in specs] == [(2, 1), (5, 1), (10, 1), (most, 1)]
    assert [entry.run for entry in entries_of(home, specs)] == list(comparison.runs)
    known = [entry.result for entry in entries_of(home, specs)]
    assert seconds_of(home, specs, "cpu", known) == 3 * (known[0].seconds + known[0].evaluate_seconds)
    assert seconds_of(home, specs, "cpu", []) is None
    assert seconds_of(home, specs[1:2], "cpu", []) == 0


def test_a_point_of_one_run_has_the_interval_of_that_run(home):
    _, comparison = made_runs.planned(home, ["fine-tune"], [1], labels_per_class=5, images=640)
    made_runs.finish(home, comparison)
    [entry] = entries_of(home, [read_run(home, comparison.runs[0]).spec])
    wide = IntervalRecord(0.1, 0.9, 0.95, "over groups")
    [found] = label_curve([replace(entry, result=replace(entry.result, interval=wide))])
    assert found.interval == Interval(0.1, 0.9, 0.95, "over groups")
    assert found.test_images == entry.result.test_images


def test_a_recorded_comparison_has_a_curve_as_well(emoji):
    specs = label_curve_specs(emoji.workspace, emoji, RECORDED, "fixmatch", seeds=3, device="cpu")
    assert {spec.seed for spec in specs} == {0, 1, 2}
    assert {spec.train.images for spec in specs} == {16_000}
