"""What lessons are made of: material of a task, the recorded one, guesses, code and notebooks."""

import json

import numpy as np
import pytest

from engine.errors import InvalidInputError, UnknownNameError
from engine.lessons import (
    alike,
    judge_order,
    label_steps,
    lesson_material,
    notebook,
    opinions,
    probe_answers,
    recorded_material,
    trained_on,
)
from engine.lessons.lesson_probes import accuracy_of, weights_at
from engine.lessons.notebook_file import LESSON_NOTEBOOKS
from engine.lessons.recorded_outputs import record_material, recorded_rows
from engine.methods.distill_consensus import P
from engine.review import open_task
from engine.runs import rank
from engine.similarity import score
from engine.similarity.pairs import pair_terms
from engine.tasks import Draw
from tests.app.made_features import extracted

STRENGTHS = {"emoji-google": 4.0, "imagenet-lite0": 2.0, "mnist": 0.0}


@pytest.fixture
def task(home):
    return open_task(home, "emoji-fluent")


def test_material_needs_the_outputs_of_the_draw(home, task):
    assert lesson_material(home, task, Draw()) is None
    extracted(home, task, task.labeled_rows(Draw()), STRENGTHS)
    found = lesson_material(home, task, Draw())
    assert found.rows.tolist() == task.labeled_rows(Draw()).tolist()
    assert found.drawn.all()
    assert np.bincount(found.labels[found.known]).tolist() == [3] * 9, "every other label is held back"


def test_material_ranks_as_the_page_teachers_does_and_holds_further_images_back(home, task):
    extracted(home, task, task.labeled_rows(Draw(8)), STRENGTHS)
    found = lesson_material(home, task, Draw())
    assert (len(found.rows), int(found.drawn.sum())) == (72, 45)
    assert (found.known == found.drawn).all()
    ranking = rank(home, task)
    assert [teacher.name for teacher in found.teachers] == [ranked.teacher.name for ranked in ranking.ranked]
    assert found.similarities == {ranked.teacher.name: ranked.similarity for ranked in ranking.ranked}
    assert not set(found.rows) & set(task.test_rows)


def test_of_many_images_some_of_each_class_are_taken(home):
    task = open_task(home, "quickdraw")
    extracted(home, task, task.labeled_rows(Draw(20)), {})
    found = lesson_material(home, task, Draw(20))
    assert (len(found.rows), int(found.drawn.sum())) == (225, 225)
    assert set(np.bincount(found.labels)) == {5}


def test_the_recorded_material_says_what_the_networks_say(home, tmp_path, task):
    extracted(home, task, recorded_rows(task), STRENGTHS)
    record_material(home, tmp_path)
    found, exact = recorded_material(home, tmp_path), lesson_material(home, task, Draw())
    assert found.recorded
    assert found.rows.tolist() == exact.rows.tolist()
    assert [teacher.name for teacher in found.spread(2)] == [teacher.name for teacher in exact.spread(2)]
    for name, values in exact.features.items():
        assert np.abs(found.features[name] - values).max() < 0.06  # half a step of 255 over a range below 30
        likeliest = exact.pseudo_labels[name].argmax(axis=1)
        assert (found.pseudo_labels[name].argmax(axis=1) == likeliest).all()
    assert recorded_material(home, tmp_path / "nowhere") is None


def test_the_recorded_material_comes_with_the_program(home):
    found = recorded_material(home)
    assert np.bincount(found.labels).tolist() == [13] * 9
    assert len(found.teachers) == 10
    assert found.similarities["imagenet-lite2"] > found.similarities["fashion-mnist"]


def test_opinions_are_the_likeliest_classes_and_alike_images_have_alike_ones(home, task):
    extracted(home, task, task.labeled_rows(Draw(8)), STRENGTHS)
    found = lesson_material(home, task, Draw())
    (said,) = opinions(found, 3, found.spread(1))
    values = found.pseudo_labels[said.teacher.name]
    assert said.surest == pytest.approx(float(values[3].max()))
    assert 1 < said.effective_classes < len(said.teacher.classes)
    values[9] = values[3]
    assert alike(found, 3, said.teacher.name, 4)[0] == 9


def test_a_guess_is_judged_beside_all_orders():
    similarities = {"a": 5.0, "b": 4.0, "c": 3.0, "d": 2.0}
    assert judge_order(list("abcd"), similarities).as_good_by_chance == pytest.approx(1 / 24)
    swapped = judge_order(list("abdc"), similarities)
    assert swapped.correlation.value == pytest.approx(0.8)
    assert swapped.as_good_by_chance == pytest.approx(4 / 24)  # itself, the two other neighboring swaps, the same order
    assert judge_order(list("dcba"), similarities).as_good_by_chance == 1.0
    for wrong in ("a", "aa", "ax"):
        with pytest.raises(InvalidInputError, match="each once"):
            judge_order(list(wrong), similarities)


def test_the_terms_of_pairs_sum_to_parc():
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(30, 7)), np.arange(30) % 3
    features[:15] += labels[:15, None]
    found = pair_terms(features, labels)
    assert np.triu(found.terms, 1).sum() == pytest.approx(score("parc", features=features, labels=labels), abs=1e-9)
    assert (found.terms == found.terms.T).all()
    nearest = np.unravel_index(np.where(np.triu(np.ones((30, 30)), 1) > 0, found.distances, 9).argmin(), (30, 30))
    assert found.places[nearest] == pytest.approx(0.5 / 435)


def test_only_those_who_are_asked_have_probes_and_what_a_lesson_says_is_the_same(home, task):
    extracted(home, task, task.labeled_rows(Draw(8)), {**STRENGTHS, "imagenet-lite1": 3.0})
    material = lesson_material(home, task, Draw(8))
    every = probe_answers(material)
    asked = list(every)[:2]
    some = probe_answers(material, among=asked)
    assert list(some) == asked
    assert all(np.array_equal(some[name], every[name]) for name in asked)
    alpha = weights_at(material, P)
    assert not all(alpha.values())  # some teacher has no weight: it is not asked, and changes nothing
    mean = sum(share * every[name] for name, share in alpha.items())
    last = label_steps(material)[-1]
    assert (last.nearest, last.consensus) == (accuracy_of(material, every[asked[0]]), accuracy_of(material, mean))
    assert trained_on(material, material.labels).accuracy == accuracy_of(material, mean)


def test_a_notebook_is_one_and_takes_what_its_lesson_knows():
    made = json.loads(notebook("ranking", "it's", Draw(8, 3), guess=("a", "b")))
    assert made["nbformat"] == 4
    assert {cell["cell_type"] for cell in made["cells"]} == {"markdown", "code"}
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])
    assert "task = \"it's\"\nlabels_per_class = 8\nseed = 3\nguess = ('a', 'b')" in "".join(made["cells"][1]["source"])
    with pytest.raises(UnknownNameError, match="lesson"):
        notebook("cooking", "leaves", None)
    with pytest.raises(UnknownNameError, match="value of a lesson"):
        notebook("ranking", "leaves", None, salt=1)


def run_cells(text, key):
    names = {}
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"<{key}>", "exec"), names)


@pytest.mark.parametrize("key", LESSON_NOTEBOOKS)
def test_every_cell_of_a_notebook_runs(home, task, key, capsys):
    extracted(home, task, task.labeled_rows(Draw(8)), STRENGTHS)
    run_cells(notebook(key, task.name, Draw()), key)
    assert "72 images, 10 teachers" in capsys.readouterr().out


def test_a_notebook_is_of_the_draw_or_the_recorded_images_that_the_page_shows(home, task, capsys):
    extracted(home, task, task.labeled_rows(Draw(3, 1)), STRENGTHS)
    run_cells(notebook("ranking", task.name, Draw(3, 1)), "another draw")
    run_cells(notebook("ranking", task.name, None), "recorded")
    assert "117 images" in capsys.readouterr().out
