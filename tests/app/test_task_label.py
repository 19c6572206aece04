import numpy as np
import pytest

from app import queues
from app.components import labeler
from app.components.labeler import Labeled
from engine import jobs
from engine.review import open_task
from engine.runs import unlabeled_rows
from engine.tasks import given_labels, relabel
from engine.tasks.task import load_task
from tests.app import made_tasks
from tests.app.pages import open_page, progress_of, shown, text_of


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


class Hands:
    """What a person does in the grid, which runs in the browser alone."""

    def __init__(self):
        self.labels, self.more, self.tiles, self.classes, self.key = {}, False, [], [], ""

    def draw(self, tiles, classes, labels, key):
        self.tiles, self.classes, self.key = list(tiles), list(classes), key
        more, self.more = self.more, False
        rows = {tile.row for tile in tiles}
        return Labeled({row: label for row, label in self.labels.items() if row in rows}, more)


@pytest.fixture
def hands(monkeypatch):
    person = Hands()
    monkeypatch.setattr(labeler, "draw", person.draw)
    return person


def label(own):
    return open_page("task", task=own.name, part="label")


def test_labels_are_kept_at_once_as_a_new_revision_and_undone(own, hands):
    app = label(own)
    given = given_labels(own)
    assert progress_of(app) == [f"Labeled {sum(g is not None for g in given)} of {len(given)}"]
    assert hands.classes == ["<i>tiger<i>", "lion"]
    assert all(given[tile.row] is None for tile in hands.tiles)
    assert all(tile.source.startswith("data:image/") for tile in hands.tiles)
    first, second = hands.tiles[0].row, hands.tiles[1].row
    hands.labels = {first: "lion", second: "lion"}
    shown(app.run())
    now = load_task(own.workspace, own.name)
    assert (given_labels(now)[first], given_labels(now)[second]) == ("lion", "lion")
    assert now.record.given_labels != own.record.given_labels
    assert (own.folder / "labels" / f"{own.record.given_labels}.parquet").exists()  # the former revision stays
    assert "2 labels saved" in text_of(app)
    hands.labels[second] = None
    shown(app.run())
    assert given_labels(load_task(own.workspace, own.name))[second] is None


def test_labels_are_reviewed_on_the_next_page_and_not_before(own, hands):
    app = label(own)
    hands.labels = {tile.row: "lion" for tile in hands.tiles}
    shown(app.run())
    hands.more = True
    shown(app.run())
    assert not load_task(own.workspace, own.name).is_settled
    shown(app.segmented_control(key="widget task part").set_value("check").run())
    now = load_task(own.workspace, own.name)
    assert now.is_settled
    assert int((now.labels == now.classes.index("lion")).sum()) >= 24


def test_a_job_that_has_not_ended_is_mentioned_before_one_labels(own, hands, home):
    jobs.create(home.jobs, "extraction", kind="extraction", spec={"task": own.name}, device="cpu")
    app = label(own)
    assert "1 job of this task has not ended. A label changes the task" in app.warning[0].value


def test_labels_of_which_nothing_can_be_learned_are_said_and_can_be_changed(own, hands):
    relabel(own, dict.fromkeys(range(len(own.images)), "lion"))
    app = open_page("task", task=own.name)
    assert "at least two classes" in app.error[0].value
    shown(app.segmented_control(key="widget task part").set_value("label").run())
    assert not app.error


def test_next_images_are_others_until_all_were_shown(own, hands):
    app = label(own)
    before = {tile.row for tile in hands.tiles}
    assert len(before) == 24
    hands.more = True
    shown(app.run())
    after = {tile.row for tile in hands.tiles}
    assert before | after == set(unlabeled_rows(own))
    assert not before & after


def test_labels_that_were_given_can_be_looked_through_and_changed(own, hands):
    app = label(own)
    shown(app.selectbox(key="widget label shown").set_value("lion").run())
    given = given_labels(own)
    assert [tile.row for tile in hands.tiles] == [row for row, name in enumerate(given) if name == "lion"]
    hands.labels = {hands.tiles[0].row: "<i>tiger<i>"}
    shown(app.run())
    assert given_labels(load_task(own.workspace, own.name))[hands.tiles[0].row] == "<i>tiger<i>"


def test_a_class_can_be_added_in_any_script(own, hands):
    app = label(own)
    next(box for box in app.text_input if box.label == "Its name").set_value("豹 🐆")
    shown(next(found for found in app.button if found.label == "Add").click().run())
    assert hands.classes[-1] == "豹 🐆"
    hands.labels = {tile.row: "豹 🐆" for tile in hands.tiles[:6]}
    shown(app.run())
    assert "豹 🐆" in load_task(own.workspace, own.name).record.given_classes
    assert "豹 🐆" in open_task(own.workspace, own.name).classes


def test_another_task_that_has_the_name_by_now_begins_anew(own, hands, tmp_path, decoder):
    app = label(own)
    next(box for box in app.text_input if box.label == "Its name").set_value("tabby")
    shown(next(found for found in app.button if found.label == "Add").click().run())
    before, key = {tile.row for tile in hands.tiles}, hands.key
    other = made_tasks.replace(own, tmp_path, decoder)
    assert max(before) >= len(other.images)
    shown(app.run())
    assert not app.error
    assert {tile.name for tile in hands.tiles} == {f"unlabeled/{i}.jpg" for i in range(10)}
    assert hands.classes == ["elm", "oak"]
    assert hands.key != key  # what the browser has sent for the grid of before is not taken for this one


def test_nothing_left_says_so(own, hands):
    relabel(own, {int(row): "lion" for row in unlabeled_rows(own)})
    app = label(own)
    assert app.success[0].value == "Every image has a label."
    assert not hands.tiles


def test_a_task_without_labels_leads_to_labeling(own, hands):
    bare = relabel(own, dict.fromkeys(range(len(own.images))))
    app = open_page("task", task=own.name)
    assert "No image has a label yet" in app.info[0].value
    shown(next(found for found in app.button if found.label == "Label images").click().run())
    assert progress_of(app) == [f"Labeled 0 of {len(bare.images)}"]
    hands.labels = {hands.tiles[0].row: "lion"}
    shown(app.run())
    assert not app.error
    assert np.count_nonzero(open_task(own.workspace, own.name).labels >= 0) == 1


def test_what_the_browser_sends_is_only_taken_for_images_and_classes_that_it_was_shown(monkeypatch):
    sent = {"3": "cat", "4": "no class of the task", "5": None, "99": "cat"}
    result = type("Result", (), {"labels": sent, "more": None})()
    monkeypatch.setattr(labeler, "_COMPONENT", lambda **_: result)
    tiles = [labeler.Tile(row, "data:image/png;base64,", "x") for row in (3, 4, 5)]
    assert labeler.draw(tiles, ["cat", "dog"], {}, "key") == Labeled({3: "cat", 5: None}, False)


def test_labels_that_wait_to_be_sent_count_as_touched_until_the_browser_says_otherwise(monkeypatch):
    result = type("Result", (), {"labels": None, "more": None})()
    monkeypatch.setattr(labeler, "_COMPONENT", lambda **_: result)
    tiles = [labeler.Tile(row, "data:image/png;base64,", "x") for row in (3, 4)]
    labels = {3: "cat", 4: "dog"}
    assert labeler.draw(tiles, ["cat", "dog"], labels, "key", waiting=[3]).labels == {3: "cat"}
    result.labels = {}  # undone
    assert labeler.draw(tiles, ["cat", "dog"], labels, "key", waiting=[3]).labels == {}
