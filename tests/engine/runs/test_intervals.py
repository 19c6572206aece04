"""Which interval a run and a method's runs have."""

from types import SimpleNamespace

import numpy as np

from engine.evaluation import Interval, accuracy_interval, share_interval, wilson_interval
from engine.results import IntervalRecord
from engine.runs import execution
from engine.runs.comparison import interval_of
from engine.tasks.facts import Facts, write_facts


def folder_with(folder, groups):
    count = len(groups)
    sides, same = np.full(count, 8, dtype=np.int32), np.arange(count)
    ids = [str(i) for i in range(count)]
    write_facts(
        folder, ids, Facts(sides, sides, np.array(groups), same, same, np.zeros(count, dtype=bool), [[]] * count)
    )
    return folder


def test_a_run_whose_test_images_come_in_groups_has_an_interval_over_groups(tmp_path):
    right = np.array([True, True, True, True, False, False, True, True])
    task = SimpleNamespace(folder=tmp_path, test_rows=np.arange(2, 10))
    alone = execution._interval(task, right)
    assert alone == wilson_interval(6, 8)
    folder_with(tmp_path, ["t", "t", *np.repeat(["a", "b", "c", "d"], 2)])
    grouped = execution._interval(task, right)
    assert grouped == share_interval(right, np.repeat(range(4), 2))
    assert grouped.high - grouped.low > alone.high - alone.low
    folder_with(tmp_path, ["t"] * 2 + ["a"] * 8)
    assert execution._interval(task, right).method == "Wilson interval over 8 images of one group"


def test_one_run_keeps_its_own_interval_and_several_have_one_over_seeds():
    own = IntervalRecord(0.3, 0.9, 0.95, "over groups")
    runs = [SimpleNamespace(held_out_accuracy=share, test_images=100, interval=own) for share in (0.6, 0.7)]
    assert interval_of(runs[:1]) == Interval(0.3, 0.9, 0.95, "over groups")
    assert interval_of(runs) == accuracy_interval([0.6, 0.7], 100)
