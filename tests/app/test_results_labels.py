import numpy as np
import pytest

from app import queues
from engine import jobs
from engine.errors import InvalidInputError
from engine.handlers import HANDLERS
from engine.jobs import worker
from engine.predictions import largest, predictions_from, write_predictions
from engine.review import open_task
from engine.runs import (
    KEEP,
    decide,
    entries_of,
    known_suspects,
    label_curve_specs,
    plan,
    predictions_path,
    request_suspects,
    start,
    take_back,
    trained_on_all,
    undecided,
)
from engine.tasks import all_labels, confirmed_labels, given_labels, relabel
from tests.app import made_runs, made_tasks
from tests.app.made_features import extracted
from tests.app.pages import button, open_page, shown, text_of


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.fixture
def doubted(home, own):
    """An own task with one wrong label, which teachers' features speak against, and the row of it."""
    rows = np.flatnonzero(own.labels >= 0)
    extracted(home, own, rows, {}, usual=8.0)
    row = int(own.train_rows[own.labels[own.train_rows] == 0][0])
    relabel(own, {row: own.classes[1]})
    task = open_task(home, own.name)
    job = request_suspects(home, task, "cpu")
    assert worker.run(job.folder, HANDLERS) == worker.DONE, jobs.status(job).message
    return task, row


def test_a_wrong_label_is_found_kept_corrected_and_left_out(home, doubted):
    task, row = doubted
    found = known_suspects(home, task)
    image = task.images.image_ids[row]
    [suspect] = [each for each in undecided(task, found) if each.image == image]
    assert (suspect.label, suspect.suggested) == (task.classes[1], task.classes[0])
    assert 0 <= suspect.of_label < suspect.of_suggested <= 1
    assert (found.labeled_images, found.task_revision) == (int(task.available_labels().sum()), task.revision)
    assert sum(found.teachers.values()) == pytest.approx(1)
    assert len(found.teachers) <= 5

    kept = decide(task, {image: KEEP}, found.found)
    assert confirmed_labels(task) == {image: task.classes[1]}
    assert suspect not in undecided(task, found)  # and it does not come back
    take_back(task, kept)
    assert suspect in undecided(task, found)

    for chosen in (task.classes[0], None):
        undo = decide(task, {image: chosen}, found.found)
        assert given_labels(open_task(home, task.name), [row]) == [chosen]
        changed = open_task(home, task.name)
        assert suspect not in undecided(changed, known_suspects(home, changed))  # of the older revision
        take_back(changed, undo)
        assert given_labels(open_task(home, task.name), [row]) == [task.classes[1]]


def test_a_kept_label_is_asked_about_again_once_it_is_another(home, doubted):
    task, row = doubted
    found = known_suspects(home, task)
    image = task.images.image_ids[row]
    decide(task, {image: KEEP}, found.found)
    relabel(task, {row: task.classes[0]})
    relabel(task, {row: task.classes[1]})
    assert image not in {each.image for each in undecided(open_task(home, task.name), found)}


def test_without_labels_nobody_is_asked(home, own):
    rows = [int(row) for row in np.flatnonzero(own.labels >= 0)]
    relabel(own, dict.fromkeys(rows[1:]))
    with pytest.raises(InvalidInputError, match="fewer than two classes with two labeled images"):
        request_suspects(home, open_task(home, own.name), "cpu")


def test_a_task_that_changed_since_is_a_sentence(home, own):
    job = request_suspects(home, own, "cpu")
    rows = [int(row) for row in np.flatnonzero(own.labels >= 0)]
    relabel(own, {rows[0]: None})
    assert worker.run(job.folder, HANDLERS) == worker.FAILED
    assert "has changed since this was asked for: ask again" in jobs.status(job).message


def open_section(task, comparison, section="labels"):
    return open_page("results", task=task.name, comparison=comparison, section=section)


@pytest.fixture
def compared(home, doubted):
    """A comparison of the doubted task, with made-up results."""
    task, row = doubted
    comparison = start(home, plan(home, task, ["fine-tune", "fixmatch"], [0], device="cpu", images=640))
    made_runs.finish(home, comparison)
    return task, row, comparison.id


def test_the_page_corrects_a_suspected_label_and_takes_it_back(home, compared):
    task, row, comparison = compared
    app = open_section(task, comparison)
    assert "may be wrong, the most doubtful first" in text_of(app)
    wanted = f"Decision about {task.images.image_ids[row]}"
    app = shown(next(each for each in app.segmented_control if each.label == wanted).set_value("Correct").run())
    app = shown(button(app, "Save 1 decision").click().run())
    assert given_labels(open_task(home, task.name), [row]) == [task.classes[0]]
    assert "1 decision saved." in text_of(app)
    assert "The labels have changed since they were looked at." in text_of(app)
    app = shown(app.button(key="undo suspects").click().run())
    assert given_labels(open_task(home, task.name), [row]) == [task.classes[1]]


def test_decisions_about_another_task_of_the_name_are_not_taken_back(home, compared, tmp_path, decoder):
    task, row, comparison = compared
    app = open_section(task, comparison)
    wanted = f"Decision about {task.images.image_ids[row]}"
    shown(next(each for each in app.segmented_control if each.label == wanted).set_value("Correct").run())
    app = shown(button(app, "Save 1 decision").click().run())
    assert app.button(key="undo suspects")
    other = made_tasks.replace(task, tmp_path, decoder)
    made_runs.finish(home, start(home, plan(home, other, ["fine-tune"], [0], device="cpu", images=640)))
    app = shown(app.run())
    assert "undo suspects" not in {each.key for each in app.button}


def test_the_page_offers_runs_with_fewer_labels_and_shows_their_curve(home, compared):
    task, _, comparison = compared
    app = open_section(task, comparison)
    assert "Nobody knows yet" not in text_of(app)  # the run with all labels is there
    budgets = [*(each for each in (2, 5, 10) if each < all_labels(task)), all_labels(task)]
    shown(button(app, f"Start {len(budgets) - 1} runs").click().run())
    specs = label_curve_specs(home, task, comparison, "fine-tune", device="cpu")
    assert [spec.labels_per_class for spec in specs] == budgets
    entries = entries_of(home, specs)
    assert len(entries) == len(budgets)
    run = next(entry.run for entry in entries if entry.spec.labels_per_class == 2)
    made_runs.fail(home, run, "The disk is full.")
    app = open_section(task, comparison)
    assert [error.value for error in app.error] == [
        "Failed: Fine-tuning at 2 labels per class, seed 0. The disk is full."
    ]
    jobs.resume(jobs.load(home.runs / run))
    made_runs.finish_runs(home, [entry.run for entry in entries])
    app = open_section(task, comparison)
    assert "One seed cannot say whether more would help." in text_of(app)
    asked = app.toggle(key="worth a label")
    assert asked.label == "The next 30 images worth a label"
    assert app.get_by_key("more-labels-curve")


def test_the_page_trains_the_finished_student_and_hands_it_over(home, compared):
    task, _, comparison = compared
    app = open_section(task, comparison, "take-away")
    shown(button(app, "Train on all images").click().run())
    [entry] = trained_on_all(home, task.name, comparison)
    assert (entry.spec.method, entry.spec.held_out) == ("fine-tune", False)
    assert entry.status.state == "queued"
    made_runs.finish_runs(home, [entry.run])
    app = open_section(task, comparison, "take-away")
    assert "it has no held-out accuracy of its own" in text_of(app)
    assert f"download {entry.run}" in {each.key for each in app.get("download_button")}


def test_images_without_a_label_are_shown_with_what_the_student_says_once_it_was_asked(home):
    task, comparison = made_runs.planned(home, ["fine-tune"], [0])
    made_runs.finish(home, comparison)
    [run] = comparison.runs
    app = open_page("results", task=task.name, section="labels")
    assert button(app, "Ask the student")
    ids, uncertain = [task.images.image_ids[row] for row in task.train_rows[:2]], [[0.9, 0.1], [0.6, 0.4]]
    probabilities = np.pad(np.array(uncertain, np.float32), ((0, 0), (0, len(task.classes) - 2)))
    found = predictions_from(ids, task.classes, np.array([-1, -1]), probabilities)
    write_predictions(predictions_path(home, run, "unlabeled"), largest(found, 2))
    app = open_page("results", task=task.name, section="labels")
    [grid] = [found.proto.body for found in app.get("html") if ids[0] in found.proto.body]
    assert grid.index(f"{ids[1]}: {task.classes[0]}, 60.0") < grid.index(f"{ids[0]}: {task.classes[0]}, 90.0")
