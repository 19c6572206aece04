import math

import pytest

from engine.errors import InvalidInputError, UnknownNameError
from engine.features import FeatureStore
from engine.handlers import HANDLERS
from engine.review import open_task
from engine.runs import active_weights, effective_teachers, rank
from engine.runs.extraction_job import missing_outputs, request_extraction
from engine.runs.ranking import candidates, drawn_at_random
from engine.similarity import score
from engine.tasks import Draw
from engine.teachers import get_teacher


def test_a_ranking_is_the_metric_of_each_teacher_on_the_labeled_images(shared_home, emoji):
    ranking = rank(shared_home, emoji, teachers=["cifar10", "mnist", "openclipart"], draw=Draw(5))
    rows = emoji.labeled_rows(Draw(5, 0))
    assert ranking.labeled_images == len(rows) == 5 * len(emoji.classes)
    for ranked in ranking.ranked:
        outputs = FeatureStore(shared_home, emoji, ranked.teacher).read(rows)
        assert ranked.similarity == score("parc", features=outputs.features, labels=emoji.labels[rows])
    assert [r.rank for r in ranking.ranked] == [1, 2, 3]
    assert [r.similarity for r in ranking.ranked] == sorted((r.similarity for r in ranking.ranked), reverse=True)


def test_teachers_that_saw_the_images_are_left_out_and_disjoint_ones_are_marked(shared_home):
    task = open_task(shared_home, "openclipart")
    assert {c.teacher.name for c in candidates(shared_home, task) if not c.allowed} == {"openclipart"}
    emoji = open_task(shared_home, "emoji-fluent")
    assert {c.teacher.name: c.relation for c in candidates(shared_home, emoji)}["emoji-google"] == "disjoint"


def test_a_task_whose_only_teacher_saw_it_has_none(shared_home):
    with pytest.raises(InvalidInputError, match="has seen its images"):
        rank(shared_home, open_task(shared_home, "openclipart"), teachers=["openclipart"])


def test_with_one_label_a_class_there_is_no_ranking_and_equal_shares(shared_home, emoji):
    ranking = rank(shared_home, emoji, teachers=["cifar10", "mnist"], draw=Draw(1))
    assert ranking.ranked == ()
    assert "label" in ranking.problem
    assert ranking.alpha(12) == {"cifar10": 0.5, "mnist": 0.5}
    assert not ranking.possible


def test_weights_of_a_ranking(shared_home, emoji):
    ranking = rank(shared_home, emoji, teachers=["cifar10", "mnist", "openclipart"])
    best = ranking.ranked[0].teacher.name
    assert ranking.alpha(math.inf) == {n: float(n == best) for n in ("cifar10", "mnist", "openclipart")}
    assert set(ranking.alpha(0).values()) == {1 / 3}
    weighted = ranking.alpha(12)
    assert sum(weighted.values()) == pytest.approx(1)
    assert max(weighted, key=weighted.get) == best
    assert active_weights(ranking.alpha(math.inf)) == {best: 1.0}
    assert 1 <= effective_teachers(weighted) <= 3


def test_the_seed_draws_the_random_teacher(shared_home):
    teachers = [get_teacher(shared_home, name) for name in ("cifar10", "mnist", "openclipart")]
    drawn = [next(iter(drawn_at_random(teachers, seed))) for seed in range(30)]
    assert len(set(drawn)) == 3
    assert drawn == [next(iter(drawn_at_random(teachers[::-1], seed))) for seed in range(30)]


def test_an_unknown_metric_names_the_known_ones(shared_home, emoji):
    with pytest.raises(UnknownNameError, match="did you mean parc"):
        rank(shared_home, emoji, metric="park")


def test_test_images_take_no_part_in_a_ranking(shared_home, emoji, monkeypatch):
    read = []
    original = FeatureStore.read
    monkeypatch.setattr(FeatureStore, "read", lambda self, rows, view=0: (read.extend(rows), original(self, rows))[1])
    rank(shared_home, emoji, teachers=["cifar10", "mnist"])
    assert set(read) <= set(emoji.labeled_rows(Draw(5, 0)))
    assert not set(read) & set(emoji.test_rows)


def test_a_job_of_version_0_1_is_still_done():
    assert HANDLERS["look"] is HANDLERS["extraction"]


def test_an_extraction_is_asked_for_once(home):
    task = open_task(home, "emoji-fluent")
    options = {"draw": Draw(2, 0), "teachers": ["mnist"]}
    assert missing_outputs(home, task, **options) == 2 * len(task.classes)
    first = request_extraction(home, task, device="cpu", **options)
    assert request_extraction(home, task, device="cpu", **options) == first
