"""Predicted against measured, on runs whose results are written by hand in the real format."""

import os
from types import SimpleNamespace

import pytest

from engine.errors import InvalidInputError
from engine.evaluation import wilson_interval
from engine.jobs import states
from engine.records import write_record
from engine.results import RESULT
from engine.review import open_task
from engine.runs.comparison import read_run
from engine.runs.spec import run_spec_from
from engine.runs.verdict import (
    Measured,
    measurements,
    order_verdict,
    request_measurements,
    single_teacher_runs,
    single_teacher_specs,
    unfinished_measurements,
)
from tests.app import made_runs

MEASURED_IMAGES = 400
TEST_IMAGES = 236


def measured(**accuracies):
    interval = wilson_interval(1, 2)
    return [Measured(name, accuracy, interval, (0,)) for name, accuracy in accuracies.items()]


def test_a_ranking_that_was_right_helped():
    found = order_verdict(
        {name: i for i, name in enumerate("abcdefgh")}, measured(**dict(zip("abcdefgh", range(8), strict=True)))
    )
    assert found.helped is True
    assert found.correlation.value == 1
    assert found.sentence.startswith("The ranking helped")


def test_a_ranking_that_was_wrong_did_not_help():
    found = order_verdict(dict(a=1, b=2, c=3, d=4, e=5), measured(a=0.5, b=0.4, c=0.3, d=0.2, e=0.25))
    assert found.helped is False
    assert found.sentence.startswith("The ranking did not help here: ")
    assert "rank correlation −0.90" in found.sentence  # 1 - 6 * 38 / 120, with d^2 = 16 + 4 + 0 + 9 + 9


def test_chance_is_not_called_help():
    found = order_verdict(dict(a=1, b=2, c=3, d=4), measured(a=0.1, b=0.2, c=0.4, d=0.3))
    assert found.correlation.value == pytest.approx(0.8)
    assert found.correlation.interval.low < 0
    assert found.helped is None
    assert "told from chance" in found.sentence


def test_the_same_order_of_four_teachers_may_be_luck_and_of_five_is_not():
    four = order_verdict(dict(a=1, b=2, c=3, d=4), measured(a=0.1, b=0.2, c=0.3, d=0.4))  # 1 of 24 orders
    assert four.correlation.value == 1
    assert four.helped is None
    assert "told from chance" in four.sentence
    five = order_verdict(dict(a=1, b=2, c=3, d=4, e=5), measured(a=0.1, b=0.2, c=0.3, d=0.4, e=0.5))  # 1 of 120
    assert five.helped is True
    tied = order_verdict(dict(a=1, b=1, c=1, d=2, e=2), measured(a=0.1, b=0.1, c=0.1, d=0.4, e=0.4))  # 12 of 120
    assert tied.helped is None


def test_too_few_teachers_are_said():
    found = order_verdict(dict(a=1, b=2, c=3), measured(a=0.1, b=0.2, c=0.4, d=0.3))
    assert found.helped is None
    assert "3, and 4 are needed" in found.sentence


def test_teachers_that_all_end_alike_leave_no_order():
    found = order_verdict(dict(a=1, b=2, c=3, d=4), measured(a=0.4, b=0.4, c=0.4, d=0.4))
    assert found.helped is False
    assert "ties all teachers" in found.sentence


def finish(job, accuracy):
    """What a finished run leaves that is read here."""
    running = states.begin(job, os.getpid())
    spec = run_spec_from(job.spec)
    write_record(job.folder / RESULT, made_runs.result(spec, accuracy, TEST_IMAGES, []))
    states.finish(job, running, "done")


def test_runs_are_queued_once_and_grouped_by_what_they_share(home):
    task = open_task(home, "emoji-fluent")
    options = {"labels_per_class": 2, "device": "cpu"}
    specs = single_teacher_specs(home, task, seeds=[0], images=MEASURED_IMAGES, **options)
    assert [spec.method for spec in specs] == ["fine-tune"] + ["distill-nearest"] * (len(specs) - 1)
    assert len({tuple(spec.teachers) for spec in specs[1:]}) == len(specs) - 1
    assert all(len(spec.teachers) == 1 and spec.train.images == MEASURED_IMAGES for spec in specs[1:])
    jobs = request_measurements(home, specs)
    assert request_measurements(home, specs) == jobs
    assert not list((home.comparisons).glob("*"))  # no comparison would know the teachers apart

    assert measurements(single_teacher_runs(home, task, 2)) is None
    for number, job in enumerate(jobs[:4]):
        finish(job, 0.25 + 0.1 * number)
    other = single_teacher_specs(home, task, seeds=[0], images=2 * MEASURED_IMAGES, **options)
    finish(request_measurements(home, other[1:2])[0], 0.9)
    quicker = single_teacher_specs(home, task, seeds=[1], images=MEASURED_IMAGES, learning_rate=0.5, **options)
    finish(request_measurements(home, quicker[:1])[0], 0.99)  # fine-tuning with other settings is no reference
    runs = single_teacher_runs(home, task, 2)
    found = measurements(runs)
    assert found.images == MEASURED_IMAGES
    assert [m.accuracy for m in found.teachers] == pytest.approx([0.35, 0.45, 0.55])
    assert found.teachers[0].teacher == next(iter(specs[1].teachers))
    assert found.teachers[0].interval == wilson_interval(round(0.35 * TEST_IMAGES), TEST_IMAGES)
    assert found.fine_tuning.accuracy == pytest.approx(0.25)
    assert len(unfinished_measurements(runs)) == len(specs) - 4
    assert single_teacher_runs(home, task, 5) == []


def test_several_seeds_are_averaged(home):
    task = open_task(home, "emoji-fluent")
    specs = single_teacher_specs(home, task, labels_per_class=2, seeds=[0, 1], device="cpu", images=MEASURED_IMAGES)
    for job, accuracy in zip(request_measurements(home, specs[2:4]), (0.3, 0.5), strict=True):
        finish(job, accuracy)
    [found] = measurements(single_teacher_runs(home, task, 2)).teachers
    assert found.accuracy == pytest.approx(0.4)
    assert found.seeds == (0, 1)
    assert found.interval.method == "t interval over 2 seeds"


def finish_as(home, accuracies):
    """Fine-tuning and teachers measured, in this order: seed -> accuracies. The teachers' names, and what was found."""
    task = open_task(home, "emoji-fluent")
    names = []
    for seed, found in accuracies.items():
        specs = single_teacher_specs(home, task, labels_per_class=2, seeds=[seed], device="cpu", images=MEASURED_IMAGES)
        names = [next(iter(spec.teachers)) for spec in specs[1:]]
        jobs = request_measurements(home, specs)
        for job, accuracy in zip(jobs, found, strict=False):
            if accuracy is not None:
                finish(job, accuracy)
    return names, measurements(single_teacher_runs(home, task, 2))


def test_teachers_are_compared_over_the_seeds_that_all_have(home):
    names, found = finish_as(home, {0: (0.2, 0.3, 0.4, 0.5), 1: (0.6, 0.7, 0.8)})  # the last teacher's is not done
    assert {m.teacher: (m.accuracy, m.seeds) for m in found.teachers} == {
        name: (accuracy, (0,)) for name, accuracy in zip(names, (0.3, 0.4, 0.5), strict=False)
    }
    assert (found.fine_tuning.accuracy, found.fine_tuning.seeds) == (0.2, (0,))


def test_a_teacher_that_shares_no_seed_is_left_out(home):
    names, found = finish_as(home, {0: (0.2, 0.3, 0.4), 1: (None, None, None, 0.9)})
    assert sorted(m.teacher for m in found.teachers) == sorted(names[:2])
    _, found = finish_as(home, {0: (), 1: (None, 0.7, 0.8)})  # fine-tuning has no seed 1
    assert {m.seeds for m in found.teachers} == {(1,)}
    assert found.fine_tuning is None


def test_a_task_without_a_teacher_is_a_sentence(home, monkeypatch):
    task = open_task(home, "emoji-fluent")
    monkeypatch.setattr("engine.runs.ranking.candidates", lambda *_: [SimpleNamespace(allowed=False)])
    with pytest.raises(InvalidInputError, match="nothing to measure"):
        single_teacher_specs(home, task, labels_per_class=2, seeds=[0], device="cpu")


def test_an_entry_is_read_as_a_comparison_reads_it(home):
    task = open_task(home, "emoji-fluent")
    [job] = request_measurements(
        home,
        single_teacher_specs(home, task, labels_per_class=2, seeds=[0], device="cpu", images=MEASURED_IMAGES)[1:2],
    )
    assert single_teacher_runs(home, task, 2) == [read_run(home, job.id)]
    assert job.folder.parent == home.runs
