import base64
import io
import struct

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import queues, thumbnails
from app.components import colors, point_maps
from app.components.point_maps import LABELED, LiveMap, MapPoints, Touched
from app.views.features import student
from app.views.features.draft import FeaturesDraft
from app.views.features.region import shown_of
from engine import jobs, maps
from engine.evaluation import Interval
from engine.jobs import list_jobs
from engine.maps import Map
from engine.neighborhoods import KeptNeighbors
from engine.review import open_task
from engine.runs.student_maps import Inherited, StudentMaps
from engine.tasks import Draw, given_labels
from engine.tasks.task import load_task
from engine.teachers import get_teacher
from tests.app import made_runs, made_tasks
from tests.app.made_features import extracted
from tests.app.pages import button, open_page, progress_of, shown, text_of

TEACHER, OTHER = "emoji-google", "cifar10"


class Hands:
    """What a person does on the maps, which run in the browser alone."""

    def __init__(self):
        self.rows, self.like, self.words, self.stamp = None, None, {}, 0

    def draw(self, points, maps, *, key, picked, stamp, like=""):
        self.points, self.maps, self.picked, self.stamp, self.offers = points, list(maps), tuple(picked), stamp, like
        (rows, self.rows), (wanted, self.like) = (self.rows, None), (self.like, None)
        return Touched(rows, wanted)

    def write_words(self, key, said):
        self.words = dict(said)


@pytest.fixture(autouse=True)
def hands(monkeypatch, tmp_path):
    monkeypatch.setattr(maps, "ASSETS", tmp_path / "no maps")
    monkeypatch.setattr(queues, "queue", lambda device: None)
    person = Hands()
    monkeypatch.setattr(point_maps, "draw", person.draw)
    monkeypatch.setattr(point_maps, "write_words", person.write_words)
    return person


@pytest.fixture
def task(home):
    """A task with the features of its labeled images, by every teacher."""
    task = open_task(home, "emoji-fluent")
    extracted(home, task, task.labeled_rows(Draw(5, 0)), {TEACHER: 4.0})
    return task


@pytest.fixture
def mapped(home, task):
    """The same, with a finished UMAP in the workspace."""
    write_umap(home, task, TEACHER, task.train_rows)
    return task


def write_umap(home, task, teacher, rows, **more):
    coordinates = np.random.default_rng(0).normal(size=(len(rows), 2)).astype(np.float32)
    maps.write_map(home.maps, task, get_teacher(home, teacher), Map("umap", rows, coordinates), **more)


def open_one(teacher=TEACHER, **draft):
    """The map of one teacher."""
    session = {FeaturesDraft.key(): FeaturesDraft(**{"view": "one", "kind": "umap"} | draft)}
    return open_page("features", session=session, task="emoji-fluent", teacher=teacher)


def test_pca_of_what_was_seen_is_there_at_once_and_umap_when_it_is_asked_for(home, task, hands):
    app = open_one(kind="pca")
    assert not list_jobs(home.jobs)
    assert np.array_equal(hands.points.rows, task.labeled_rows(Draw(5, 0)))
    assert "45 training images of 604" in text_of(app)
    assert hands.maps[0].title.startswith("PCA · 1. ")
    shown(button(app, "Draw the UMAP").click().run())
    assert progress_of(app)[0].startswith("UMAP of 604 images")
    (job,) = list_jobs(home.jobs)
    assert (job.kind, jobs.status(job).state, job.spec["teacher"]) == ("map", "queued", TEACHER)


def test_without_any_features_the_page_offers_a_map_and_queues_nothing(home, hands):
    app = open_one()
    assert not hasattr(hands, "points")
    assert "of 604 images, 604 have no features yet" in text_of(app)
    assert "There is no map yet" in text_of(app)
    assert not list_jobs(home.jobs)


def test_the_map_shows_all_training_images_and_no_test_image(home, mapped, hands):
    app = open_one()
    assert np.array_equal(hands.points.rows, mapped.train_rows)
    labeled = hands.points.rows[hands.points.labeled]
    assert np.array_equal(labeled, mapped.labeled_rows(Draw(5, 0)))
    assert set(hands.points.marks[hands.points.labeled]) == {1}
    assert hands.maps[0].names == mapped.classes
    assert np.array_equal(hands.maps[0].codes, mapped.labels[mapped.train_rows])
    assert not list_jobs(home.jobs)
    shown(app.multiselect(key="widget map names class").set_value(["Flags"]).run())
    assert set(hands.maps[0].codes) == {-1, mapped.classes.index("Flags")}
    assert hands.maps[0].gray == "the others"


def test_two_maps_show_the_same_images_and_what_is_picked_is_described_by_both(home, mapped, hands):
    extracted(home, mapped, mapped.train_rows, {TEACHER: 4.0})
    seen = mapped.train_rows[:500]
    write_umap(home, mapped, OTHER, seen)
    app = open_one(beside={"emoji-fluent": OTHER})
    assert [each.place for each in hands.maps] == [f"{TEACHER} umap", f"{OTHER} umap"]
    assert np.array_equal(hands.points.rows, seen)
    assert all(len(each.coordinates) == 500 for each in hands.maps)
    hands.rows = tuple(seen[[3, 80]].tolist())
    shown(app.run())
    assert list(hands.words) == list(hands.rows or seen[[3, 80]])
    first, second, together = hands.words[int(seen[3])]
    assert first.startswith(f"{get_teacher(home, TEACHER).title}: ")
    assert second.startswith(f"{get_teacher(home, OTHER).title}: ")
    assert together.startswith(f"Consensus: {mapped.classes[mapped.labels[seen[3]]]}, ")


def test_what_was_picked_outlives_a_change_of_the_map(home, mapped, hands):
    app = open_one()
    hands.rows = tuple(mapped.train_rows[:2].tolist())
    shown(app.run())
    shown(app.selectbox(key="widget map color").set_value("labeled").run())
    assert app.session_state[FeaturesDraft.key()].picked.rows == tuple(mapped.train_rows[:2].tolist())


def test_picked_images_that_another_map_does_not_show_are_not_picked_there(own, hands):
    task = open_task(own.workspace, own.name)
    extracted(own.workspace, task, task.train_rows, {}, usual=4.0)
    write_umap(own.workspace, task, TEACHER, task.train_rows[:10])
    session = {FeaturesDraft.key(): FeaturesDraft(view="one", kind="pca")}
    app = open_page("features", session=session, task=own.name, teacher=TEACHER)
    hands.rows = tuple(task.train_rows[[3, -2, -1]].tolist())
    shown(app.run())
    shown(app.segmented_control(key="widget map kind").set_value("umap").run())
    assert len(hands.points.rows) == 10
    assert list(hands.words) == [task.train_rows[3]]
    next(box for box in app.selectbox if box.label == "Class of the picked images").set_value("lion")
    assert button(shown(app.run()), "Label 1 image")


def test_the_map_as_a_table(home, mapped):
    app = open_page(
        "features",
        session={"map table": True, FeaturesDraft.key(): FeaturesDraft(view="one")},
        task="emoji-fluent",
        teacher=TEACHER,
    )
    table = app.dataframe[0].value
    assert list(table.columns) == ["Image", "Class", "Labeled", "Color", "x", "y"]
    assert len(table) == 604
    assert table["Labeled"].sum() == 45
    assert (table["Color"] == table["Class"]).all()


def test_where_the_map_is_a_sample_one_of_all_images_is_offered(home, mapped, hands, monkeypatch):
    monkeypatch.setattr(maps, "LARGEST_MAP", 100)
    write_umap(home, mapped, TEACHER, maps.map_rows(mapped))
    app = open_one()
    assert "100 training images, a random sample of 604" in text_of(app)
    app = shown(button(app, "Draw the UMAP of 604 images").click().run())
    [job] = list_jobs(home.jobs)
    assert job.spec["whole"] is True
    write_umap(home, mapped, TEACHER, mapped.train_rows, whole=True)
    monkeypatch.setattr(maps, "SPECTRAL_BELOW", 600)
    app = open_one()
    assert "604 training images, placed by UMAP from a PCA" in text_of(app)
    assert len(hands.points.rows) == 604


def test_the_colors_of_many_classes_are_all_different():
    assert len(set(colors.class_colors(45))) == 45
    assert len(set(colors.ramp_colors())) == colors.STEPS


def test_of_very_many_picked_images_the_grid_shows_some_evenly():
    assert shown_of(range(60)).tolist() == list(range(60))
    found = shown_of(range(1000))
    assert len(found) == 60
    assert (found[0], found[-1]) == (0, 999)
    assert set(np.diff(found)) == {16, 17}


def unpacked(text, form):
    content = base64.b64decode(text)
    return list(struct.unpack(f"<{len(content) // struct.calcsize(form)}{form}", content))


def test_points_are_sent_as_numbers_that_the_browser_reads(mapped):
    rows = mapped.train_rows[:3]
    places = np.array([[0, 0], [2, 1], [1, 0.5]], dtype=np.float32)
    one = LiveMap("a", "A", "", "", places, np.array([0, 1, -1]), ("x", "y"), ("#111111", "#222222"), "none")
    sent = point_maps._payload(MapPoints(mapped, rows, np.array([0, 1, 2]), np.array([False, True, True])), [one])
    assert unpacked(sent["rows"], "i") == rows.tolist()
    assert unpacked(sent["flags"], "B") == [0, 1 + LABELED, 2 + LABELED]
    assert unpacked(sent["labels"], "h") == mapped.labels[rows].tolist()
    assert unpacked(sent["maps"][0]["xy"], "H") == [0, 0, 65535, 32768, 32768, 16384]
    assert unpacked(sent["maps"][0]["codes"], "h") == [0, 1, -1]
    assert sent["maps"][0]["gray"] == "none"


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        ({"stamp": 3, "rows": base64.b64encode(struct.pack("<3i", 5, 1, 99)).decode()}, (1, 5)),
        ({"stamp": 3, "rows": ""}, ()),
        ({"stamp": 2, "rows": ""}, None),
        ({"stamp": 3, "rows": "no base64!"}, None),
        ({"stamp": 3, "rows": base64.b64encode(b"abc").decode()}, None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_nothing_that_a_browser_says_of_picked_images_is_trusted(said, rows):
    points = MapPoints(None, np.array([1, 5, 7]), np.zeros(3, int), np.zeros(3, bool))
    assert point_maps._rows_of(said, 3, points) == rows


def test_pictures_come_one_by_one_to_who_knows_the_token(home):
    task = open_task(home, "emoji-fluent")
    address = thumbnails.address_of(task)
    assert address == thumbnails.address_of(task)
    browser = TestClient(Starlette(routes=[thumbnails.route(), thumbnails.route("/lab/")]))
    found = browser.get(f"/{address}/7.webp")
    assert (found.status_code, found.headers["content-type"]) == (200, "image/webp")
    picture, [original] = Image.open(io.BytesIO(found.content)), task.images.decoded([7])
    assert max(picture.size) == min(96, max(original.size))
    assert browser.get(f"/lab/{address}/7.webp").content == found.content
    for wrong in (f"{address}/{len(task.images)}.webp", f"{thumbnails.PATH}/{'0' * 40}/7.webp", f"{address}/x.webp"):
        assert browser.get(f"/{wrong}").status_code == 404


def test_more_like_one_picks_it_and_those_nearest_in_the_features(home, mapped, hands):
    extracted(home, mapped, mapped.train_rows, {TEACHER: 4.0})
    hands.like = int(mapped.train_rows[9])
    app = open_one()
    rows = app.session_state[FeaturesDraft.key()].picked.given
    assert hands.picked == rows
    assert rows[0] == mapped.train_rows[9]
    assert len(set(rows)) == 48
    assert set(mapped.labels[list(rows[:20])]) == {mapped.labels[rows[0]]}  # this teacher tells classes apart
    assert "keeps its labels" in text_of(app)


def test_picked_images_of_an_own_task_are_labeled_as_the_consensus_proposes_and_undone(own, hands):
    task = open_task(own.workspace, own.name)
    extracted(own.workspace, task, task.train_rows, {}, usual=4.0)
    session = {FeaturesDraft.key(): FeaturesDraft(view="one", kind="pca")}
    app = open_page("features", session=session, task=own.name)
    given = given_labels(task)
    without = [row for row in task.train_rows.tolist() if given[row] is None][:5]
    hands.rows = tuple(without)
    shown(app.run())
    said = [hands.words[row][-1].split(": ")[1].rpartition(",")[0] for row in without]
    shown(button(app, "Accept the consensus for 5 unlabeled images").click().run())
    now = given_labels(load_task(own.workspace, own.name))
    assert all(now[row] in task.classes for row in without)
    assert [now[row] for row in without] == said
    assert "5 labels saved" in text_of(app)
    shown(button(app, "Undo").click().run())
    assert given_labels(load_task(own.workspace, own.name)) == given
    next(box for box in app.selectbox if box.label == "Class of the picked images").set_value("lion")
    shown(app.run())
    shown(button(app, "Label 5 images").click().run())
    assert {given_labels(load_task(own.workspace, own.name))[row] for row in without} == {"lion"}


def test_another_task_that_has_the_name_by_now_has_no_picked_images_and_nothing_to_undo(own, hands, tmp_path, decoder):
    task = open_task(own.workspace, own.name)
    extracted(own.workspace, task, task.train_rows, {}, usual=4.0)
    app = open_page("features", session={FeaturesDraft.key(): FeaturesDraft(view="one", kind="pca")}, task=own.name)
    hands.rows = tuple(task.train_rows[:5].tolist())
    shown(app.run())
    next(box for box in app.selectbox if box.label == "Class of the picked images").set_value("lion")
    shown(app.run())
    shown(button(app, "Label 5 images").click().run())
    assert button(app, "Undo")
    made_tasks.replace(own, tmp_path, decoder)
    other = open_task(own.workspace, own.name)
    extracted(own.workspace, other, other.train_rows, {}, usual=4.0)
    shown(app.run())
    assert hands.picked == ()
    assert not [found for found in app.button if found.label in ("Undo", "Label 5 images")]


def test_a_students_map_stands_beside_its_best_teachers_with_what_it_took_over(home, mapped, hands, monkeypatch):
    _, comparison = made_runs.planned(home, ["distill-weighted"], [0], images=24_000)
    made_runs.finish(home, comparison)
    [run] = comparison.runs
    app = open_one(view="student")
    shown(button(app, "Draw the student's maps").click().run())
    assert [job.kind for job in list_jobs(home.jobs)] == ["student-maps"]
    rows = mapped.train_rows[::2]
    before, after = (Map("umap", rows, np.full((len(rows), 2), place, np.float32)) for place in (0, 1))
    kept = [KeptNeighbors(share, Interval(share - 0.1, share + 0.1, 0.95, "t"), 0.03, 302, 10) for share in (0.25, 0.5)]
    found = StudentMaps(before, after, (Inherited(TEACHER, *kept),))
    monkeypatch.setattr(student, "maps_of_student", lambda workspace, name: found if name == run else None)
    app = open_one(view="student")
    title = get_teacher(home, TEACHER).title
    assert hands.maps[0].title.endswith(f"{title}, weight 0.70")
    assert hands.maps[1].title == "UMAP · Student · after training"
    assert np.array_equal(hands.points.rows, rows)
    assert np.array_equal(hands.maps[1].coordinates, after.coordinates)
    [row] = app.dataframe[0].value.to_dict("records")
    assert (row["Kept before, %"], row["Kept after, %"], row["Gain, points"]) == (25, 50, 25)
    assert row["95\u00a0% interval, %"] == "40.0 to 60.0"
    assert "the mean of 302 training images. By chance it would be 3.0 %" in text_of(app)
    shown(app.segmented_control(key="widget map moment").set_value("before").run())
    assert np.array_equal(hands.maps[1].coordinates, before.coordinates)
