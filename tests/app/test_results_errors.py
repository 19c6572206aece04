"""Results: the first sentence, and the section Errors."""

from dataclasses import replace

import numpy as np
import pytest

from app import queues
from app.components import confusion as matrices
from app.components import labeler
from app.components.labeler import Labeled
from app.views.results import by_class, confusion, errors, image_grid, judged, page, sources, two_students
from app.views.results.draft import ResultsDraft
from app.views.results.errors_view import Correction
from engine import tasks
from engine.delivery import Judged, shared_by
from engine.evaluation import class_scores, confusion_matrix, paired_accuracies
from engine.predictions import write_predictions
from engine.review import open_task
from engine.runs import (
    load_comparison,
    plan,
    predictions_of,
    predictions_path,
    repeating_command,
    start,
)
from engine.runs.comparison import method_means
from engine.tasks.task import load_task
from tests.app import made_runs
from tests.app.pages import button, open_page, shown, text_of

CLASSES = ("cat", "dog", "<b>owl</b>")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)
    monkeypatch.setattr(sources, "recorded_comparison", lambda task: None)


def of(labels, predicted, **changes):
    """A student's test images without a task."""
    labels, predicted = np.array(labels), np.array(predicted)
    arrays = {
        "rows": np.arange(len(labels)),
        "labels": labels,
        "predicted": predicted,
        "confidence": np.linspace(0.5, 1, len(labels)),
        "groups": None,
        "now": labels,
    }
    ids = tuple(f"{i}.png" for i in range(len(labels)))
    return Judged(task=None, title="A, seed 0", key="a", classes=CLASSES, image_ids=ids, **arrays | changes)


def test_the_matrix_as_a_table_has_counts_or_shares():
    matrix = confusion_matrix([0, 1, 1, 1], [0, 0, 1, 1], 3)
    counts = confusion.matrix_table(matrix, CLASSES, shares=False)
    assert list(counts.columns) == ["True class", "Images", "as cat", "as dog", "as <b>owl</b>"]
    assert counts["as dog"].tolist() == [1, 2, 0]
    assert confusion.matrix_table(matrix, CLASSES, shares=True)["as cat"].tolist() == [50, 0, 0]


@pytest.mark.parametrize(("count", "drawn", "numbers"), [(2, 2, True), (45, 45, False), (200, 30, False)])
def test_the_matrix_is_drawn_for_two_classes_and_for_two_hundred(count, drawn, numbers):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, count, 3_000)
    predicted = np.where(rng.random(3_000) < 0.7, labels, rng.integers(0, count, 3_000))
    matrix = confusion_matrix(predicted, labels, count)
    classes = matrices.worst_classes(matrix)
    assert len(classes) == drawn
    figure = matrices.figure(matrix, [f"<i>{i}</i>" for i in range(count)], classes, shares=False)
    cells = figure.data[2]
    assert len(cells.customdata) == (matrix[np.ix_(classes, classes)] > 0).sum()
    assert all(matrix[row, column] for row, column in cells.customdata)
    assert bool(figure.layout.annotations) == numbers
    assert "<i>" not in cells.text[0] + figure.layout.xaxis.ticktext[0]  # Plotly would read it
    worst = matrices.pairs_table(matrix, list(map(str, range(count))), 1)
    assert len(matrices.worst_classes(np.diag(np.arange(count)))) == drawn  # nothing is confused
    assert {int(worst["True class"][0]), int(worst["Taken for"][0])} <= set(classes.tolist())


def test_classes_come_worst_first_and_those_without_images_last():
    table = by_class.class_table(class_scores([0, 0, 0, 1], [0, 0, 1, 1], 3), CLASSES)
    assert table["Class"].tolist() == ["dog", "cat", "<b>owl</b>"]
    assert table["Recall, %"].tolist()[:2] == [50, 100]
    assert table["Recall, 95\u00a0% interval"].tolist() == ["9.5 to 90.5", "34.2 to 100.0", "–"]  # Wilson, 1 and 2 of 2
    assert np.isnan(table["F1, %"][2])


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (None, "Wilson, each image"),
        (np.repeat(range(8), 5), "bootstrap over groups"),
        (np.repeat(range(4), 10), "No int"),
    ],
)
def test_what_the_intervals_of_classes_rest_on_is_said(groups, said):
    found = of(np.tile([0, 1], 20), np.tile([0, 0, 1, 1, 1], 8), groups=groups)
    assert said in by_class._intervals(judged.scores(found))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ([1] * 40 + [0] * 10, [1] * 20 + [0] * 30, "**A is better than B** by +40.0 points"),
        ([1] * 20 + [0] * 30, [1] * 40 + [0] * 10, "**B is better than A** by +40.0 points"),
        ([1, 0, 1, 1], [0, 1, 1, 0], "**No clear difference** between A and B: +25.0 points"),
        ([1, 1], [1, 1], "**No clear difference** between A and B: 0.0 points"),
    ],
)
def test_two_students_are_compared_in_a_sentence(first, second, said):
    told = two_students.sentence(paired_accuracies(first, second), "A", "B")
    assert told.startswith(said)
    assert "McNemar's test, p " in told
    assert f"Of {len(first)} test images" in told


def test_without_enough_groups_it_is_said_that_nobody_knows_how_sure():
    pair = paired_accuracies([1, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1])
    assert "cannot be said: the images come in fewer than 5 groups" in two_students.sentence(pair, "A", "B")


def test_students_are_compared_on_the_images_that_both_saw_with_the_same_label():
    first = of([0, 1, 2], [0, 1, 1])
    other = replace(of([1, 2, 0, 0], [1, 2, 0, 0]), image_ids=("1.png", "2.png", "0.png", "new.png"))
    mine, theirs = shared_by(first, other)
    assert mine.image_ids == theirs.image_ids == ("0.png", "1.png", "2.png")
    assert theirs.predicted.tolist() == [0, 1, 2]
    relabeled = replace(other, labels=np.array([0, 2, 0, 0]))
    assert shared_by(first, relabeled)[0].image_ids == ("0.png", "2.png")
    table = two_students.images_table(mine, replace(theirs, title="B, seed 0"), np.array([2]))
    assert table["A, seed 0"].tolist() == ["dog"]
    assert table["B, seed 0"].tolist() == ["<b>owl</b>"]


def test_labels_that_changed_since_the_run_are_said():
    assert image_grid.changed_sentence(of([0, 0, 1, 1], [0, 0, 0, 0])) is None
    told = image_grid.changed_sentence(of([0, 0, 1, 1], [0, 0, 0, 0], now=np.array([0, 0, 0, -1])))
    assert told.startswith("2 test images have another label, or none, since this run.")
    assert "right on 100.0" in told


def test_errors_as_a_table():
    table = errors.errors_table(of([0, 1, 2], [0, 2, 1]), np.array([2, 1]))
    assert table.to_numpy().tolist() == [["2.png", "<b>owl</b>", "dog", 100.0], ["1.png", "dog", "<b>owl</b>", 75.0]]


def means(home, accuracies, seeds, monkeypatch=None):
    """A made-up comparison whose methods end with these accuracies."""
    made_runs.FINAL.update(accuracies)
    task, comparison = made_runs.planned(home, list(accuracies), seeds, images=24_000)
    made_runs.finish(home, comparison)
    source = next(found for found in sources.sources(home, task.name) if found.comparison)
    return task, comparison, sources.load(home, source, task.name)


@pytest.fixture(autouse=True)
def _final(monkeypatch):
    monkeypatch.setattr(made_runs, "FINAL", dict(made_runs.FINAL))


@pytest.mark.parametrize(
    ("accuracies", "seeds", "said"),
    [
        (
            {"fine-tune": 0.5, "fixmatch": 0.6},
            [0, 1, 2],
            "**FixMatch won**: right on **61.0 %** of the held-out images, ",
        ),
        ({"fine-tune": 0.5, "fixmatch": 0.7}, [0], "**FixMatch won**: right on **69.9 %**"),
        ({"fine-tune": 0.5, "fixmatch": 0.51}, [0], "**No clear winner**: FixMatch is right on **51.1 %**"),
        ({"fixmatch": 0.6}, [0], "**FixMatch** is right on **60.0 %** of 415 held-out images (95 % interval 55.2 to "),
    ],
)
def test_the_first_sentence_says_what_won_and_how_surely(home, accuracies, seeds, said):
    task, _, found = means(home, accuracies, seeds)
    told = page.verdict_of(found, task)
    assert told.winner.replace("\u00a0", " ").startswith(said)
    assert told.beside.replace("\u00a0", " ").startswith("Chance is right on 11.1 %, and always saying “")
    assert "not clearly better" not in told.beside


def test_a_winner_is_clearly_ahead_of_every_other_method(home):
    task, _, found = means(home, {"fine-tune": 0.5, "fixmatch": 0.6, "linear-probe": 0.7}, [0, 1])
    kept = [
        replace(run, accuracy=0.2 if (run.method, run.seed) == ("fine-tune", 1) else run.accuracy)
        for run in found.results
    ]
    shown = replace(found, results=tuple(kept), means=tuple(method_means(kept)))
    told = page.verdict_of(shown, task).winner.replace("\u00a0", " ")
    assert told.startswith(
        "**No clear winner**: Linear probe is right on **70.5 %** of the held-out images and Fine-tuning on "
    )
    assert page.verdict_of(found, task).winner.startswith("**Linear probe won**: ")


def test_methods_are_held_against_each_other_over_the_seeds_that_all_have(home):
    task, _, found = means(home, {"fine-tune": 0.6, "fixmatch": 0.7}, [0, 1, 2])
    easy = {("fine-tune", 2): 0.95}
    kept = [
        replace(run, accuracy=easy.get((run.method, run.seed), run.accuracy))
        for run in found.results
        if (run.method, run.seed) != ("fixmatch", 2)
    ]
    shown = replace(found, results=tuple(kept), means=tuple(method_means(kept)), unfinished=1)
    assert [mean.seeds for mean in shown.comparable().means] == [(0, 1), (0, 1)]
    told = page.verdict_of(shown, task).winner.replace("\u00a0", " ")
    assert told.startswith(
        "**FixMatch leads**: right on **70.5 %** of the held-out images, +10.0 points over Fine-tuning"
    )
    assert told.endswith("These numbers are of seeds 0 and 1, which all methods have.")
    alone = [run for run in kept if (run.method, run.seed) in (("fine-tune", 2), ("fixmatch", 0))]
    apart = replace(found, results=tuple(alone), means=tuple(method_means(alone)))
    assert apart.comparable() is apart
    assert "nobody can say" in page.verdict_of(apart, task).winner


def test_seeds_that_agree_name_no_winner_on_one_image(home):
    task, _, found = means(home, {"fine-tune": 0.7, "fixmatch": 0.7 + 1 / 415}, [0, 1])
    assert page.verdict_of(found, task).winner.startswith("**No clear winner**: ")


def test_runs_that_go_on_or_do_not_compare_have_no_winner(home):
    task, _, found = means(home, {"fine-tune": 0.5, "fixmatch": 0.7}, [0])
    assert page.verdict_of(replace(found, unfinished=2), task).winner.startswith("**FixMatch leads**: ")
    unfair = replace(found, document={**found.document, "differs": ["images"]})
    assert page.verdict_of(unfair, task).winner.startswith("**No winner is named**, since these runs do not share")


def test_a_student_no_better_than_the_most_frequent_class_is_called_so(home):
    task, _, found = means(home, {"fixmatch": 0.12}, [0])
    assert "FixMatch is not clearly better than that." in page.verdict_of(found, task).beside


def test_the_command_that_repeats_a_comparison_is_told_only_if_it_does(home, monkeypatch):
    task, comparison, _ = means(home, {"fine-tune": 0.5, "distill-weighted": 0.6}, [0, 1])
    told = repeating_command(home, task, load_comparison(home, comparison.id))
    assert told.startswith("python -m engine compare --task emoji-fluent --methods fine-tune,distill-weighted")
    assert "--seeds 0,1 " in told
    changed = replace(task, record=replace(task.record, flip=not task.record.flip))
    assert repeating_command(home, changed, comparison) is None


def part(app, name):
    return shown(app.segmented_control(key="widget errors part").set_value(name).run())


def test_a_cell_of_the_matrix_leads_to_its_images_and_so_does_a_pair(home):
    task, comparison, _ = means(home, {"fixmatch": 0.7, "fine-tune": 0.5}, [0])
    app = open_page("results", task=task.name, section="errors")
    assert "Click a cell or a pair of classes to see its images." in text_of(app)
    run = next(run for run in comparison.runs if "fine-tune" in run)
    name = task.classes[0]
    found = np.bincount(task.labels[task.test_rows])[0]
    app.session_state[f"confusion {run} False"] = {"selection": {"points": [{"customdata": [0, 0]}]}}
    app = shown(app.run())
    told = text_of(app).replace("\\", "")
    right = int(told.split(f"{name}, recognized")[1].split("**: ")[1].split(" ")[0])
    assert 0 < right <= found
    assert "This task came with the program" in told
    assert not app.toggle  # no labels to correct
    app.session_state[f"confused pairs {run}"] = {"selection": {"rows": [0], "columns": []}}
    app = shown(app.run())
    assert "taken for" in text_of(app)
    assert f"{name}, recognized" not in text_of(app)


def test_the_other_parts_show_errors_classes_and_two_students(home):
    task, _, _ = means(home, {"fixmatch": 0.7, "fine-tune": 0.5}, [0])
    app = part(open_page("results", task=task.name, section="errors"), "surest")
    assert "118 errors, the surest first" in text_of(app)  # 236 test images, half of them right
    app = part(app, "classes")
    table = next(found.value for found in app.dataframe if "F1, %" in found.value)
    assert list(table["F1, %"]) == sorted(table["F1, %"])
    assert "Intervals: Wilson, each image counted as independent of the others." in text_of(app)
    app = part(app, "two")
    assert "FixMatch, seed 0 is better than Fine-tuning, seed 0** by +" in text_of(app).replace("\\", "")


def test_an_error_that_the_matrix_shows_is_corrected_there_and_taken_back(own, monkeypatch):
    drawn = []

    def draw(tiles, classes, labels, key, more):
        drawn.append((tiles, classes, key))
        return Labeled(dict(hands), False)

    hands = {}
    monkeypatch.setattr(labeler, "draw", draw)
    home, task = own.workspace, open_task(own.workspace, own.name)
    comparison = start(home, plan(home, task, ["fixmatch"], [0], device="cpu", images=24_000))
    made_runs.finish(home, comparison)
    run, row = comparison.runs[0], None
    found = predictions_of(home, run)
    place = int(np.flatnonzero(found.predicted != found.labels)[0])
    row = task.images.image_ids.index(found.image_ids[place])
    cell = [int(found.labels[place]), int(found.predicted[place])]
    before = tasks.given_labels(task, [row])
    app = open_page("results", task=task.name, section="errors")
    app.session_state[f"confusion {run} False"] = {"selection": {"points": [{"customdata": cell}]}}
    app = shown(app.run())
    app = shown(app.toggle[0].set_value(True).run())
    (tile,) = [tile for tile in drawn[-1][0] if tile.row == row]
    assert "said: " in tile.name
    hands[row] = task.classes[cell[1]]
    app = shown(app.run())
    assert tasks.given_labels(load_task(home, task.name), [row]) == [task.classes[cell[1]]]
    assert "1 label corrected." in text_of(app)
    hands.clear()  # the grid begins anew
    app = shown(app.run())
    assert "has changed since these runs" in app.warning[0].value
    assert "1 test image has another label, or none, since this run" in app.info[0].value
    app = shown(button(app, "Undo the last").click().run())
    assert tasks.given_labels(load_task(home, task.name), [row]) == before
    assert not app.warning
    of_another = Correction(task.name, {row: None})  # that had the name before
    app.session_state[ResultsDraft.key()].errors.corrections.append(of_another)
    assert "label corrected." not in text_of(shown(app.run()))


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (lambda known: np.full_like(known, -1), "No test image of this run has a label"),
        (np.zeros_like, "are of one class"),
    ],
)
def test_test_images_that_say_nothing_of_errors_are_said_so(home, labels, told):
    task, comparison, _ = means(home, {"fixmatch": 0.7}, [0])
    path = predictions_path(home, comparison.runs[0])
    found = predictions_of(home, comparison.runs[0])
    write_predictions(path, replace(found, labels=labels(found.labels)))
    app = open_page("results", task=task.name, section="errors")
    assert any(told in each.value for each in [*app.info, *app.warning])


@pytest.mark.parametrize(("count", "said"), [(1, "1 image of the run is in"), (2, "2 images of the run are in")])
def test_images_that_the_task_has_no_more_are_counted(monkeypatch, count, said):
    captions = []
    monkeypatch.setattr(image_grid.st, "caption", captions.append)
    image_grid.draw(of([0] * count, [1] * count, rows=np.full(count, -1)), np.arange(count), "key")
    assert captions == [f"{said} the task no more.", "There is no image to show."]


def test_a_run_without_predictions_offers_to_ask_its_student(home):
    task, comparison, _ = means(home, {"fixmatch": 0.7}, [0])
    predictions_path(home, comparison.runs[0]).unlink()
    app = open_page("results", task=task.name, section="errors")
    assert button(app, "Ask the student")
