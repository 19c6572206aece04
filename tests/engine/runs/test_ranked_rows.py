import numpy as np
import pytest

from engine.runs import ranked_rows
from engine.tasks import ALL, Draw, Task, all_labels, labels_per_class
from engine.tasks.task import TaskRecord

MOST = 2_000


@pytest.fixture
def made(home):
    """A task with so many labeled training images of each class, and some unlabeled and held-out ones."""

    def make(counts, given_labels="abc"):
        classes = tuple(f"c{i}" for i in range(len(counts)))
        texts = dict.fromkeys(("title", "summary", "collection", "license", "source", "split_rule"), "")
        record = TaskRecord(
            name="made", parts=(), classes=classes, resize="pad", flip=True, given_labels=given_labels, **texts
        )
        task = Task(home, record)
        labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
        task.__dict__["labels"] = np.concatenate([labels, np.full(50, -1), np.zeros(40, np.int64)])
        task.__dict__["splits"] = np.array(["train"] * (len(labels) + 50) + ["test"] * 40)
        return task

    return make


def test_all_labels_of_an_own_task_are_usual_and_five_a_class_of_a_bundled_one(made):
    own, bundled = made([3, 40, 12]), made([3, 40, 12], given_labels="")
    assert [labels_per_class(own), labels_per_class(own, ALL), labels_per_class(own, 7)] == [40, 40, 7]
    assert [labels_per_class(bundled), labels_per_class(bundled, ALL)] == [5, 40]
    assert len(own.labeled_rows(Draw(labels_per_class(own)))) == 55
    assert all_labels(made([0, 0])) == 1  # a draw of none does not exist


@pytest.mark.parametrize(
    ("counts", "labels", "found"),
    [
        ([900, 900, 200], 900, [900, 900, 200]),  # 2,000 fit
        ([900, 900, 201], 900, [899, 899, 201]),
        ([50_000, 300, 10], 50_000, [1_690, 300, 10]),
        ([30_000, 30_000], 20_000, [1_000, 1_000]),
        ([9] * 300, 9, [6] * 300),
    ],
)
def test_a_ranking_takes_as_many_of_each_class_as_there_is_room_for(made, counts, labels, found):
    task = made(counts)
    rows = ranked_rows(task, Draw(labels, 3))
    assert np.bincount(task.labels[rows]).tolist() == found
    assert len(rows) <= MOST
    assert set(rows) <= set(task.labeled_rows(Draw(labels, 3)))
    assert rows.tolist() == sorted(rows)


@pytest.mark.parametrize(("classes", "labels"), [(500, 9), (500, 5), (2_500, 9), (2_500, 2)])
def test_of_more_classes_than_there_is_room_for_some_take_part(made, classes, labels):
    task = made([9] * classes)
    found = np.bincount(task.labels[ranked_rows(task, Draw(labels, 1))], minlength=classes)
    each = min(labels, 5)
    assert set(found.tolist()) == {0, each}
    assert found.sum() == MOST - MOST % each
    other = np.bincount(task.labels[ranked_rows(task, Draw(labels, 2))], minlength=classes)
    assert (found != other).any()
