import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from app import queues
from app.components import small_maps
from app.views.features.coloring import Coloring
from app.views.features.draft import FeaturesDraft
from engine import maps
from engine.features import FeatureStore
from engine.jobs import list_jobs
from engine.maps import Map
from engine.neighborhoods import separation
from engine.review import open_task
from engine.runs import disagreement, proposals, rank, top_pseudo_labels
from engine.runs.ranking import allowed_teachers
from engine.tasks import Draw
from engine.teachers import get_teacher
from tests.app.made_features import extracted
from tests.app.pages import button, open_page, progress_of, shown, text_of

TEACHER = "emoji-google"
DRAW = Draw(5, 0)


@pytest.fixture(autouse=True)
def no_queue(monkeypatch, tmp_path):
    monkeypatch.setattr(maps, "ASSETS", tmp_path / "no maps")
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.fixture
def task(home):
    """A task with every teacher's features of its training images; one teacher tells the classes apart."""
    task = open_task(home, "emoji-fluent")
    extracted(home, task, task.train_rows, {TEACHER: 4.0}, usual=0.2)
    return task


def open_all(**draft):
    return open_page("features", session={FeaturesDraft.key(): FeaturesDraft(**draft)}, task="emoji-fluent")


def alts(app):
    found = [re.search(r'alt="([^"]*)"', element.value) for element in app.html]
    return [match[1].replace("\u00a0", " ") for match in found if match]


def test_all_maps_are_on_one_screen_by_rank_and_one_job_draws_them(home, task):
    drawn = Map("umap", task.train_rows, np.zeros((len(task.train_rows), 2), np.float32))
    maps.write_map(home.maps, task, get_teacher(home, TEACHER), drawn)
    app = open_all()
    teachers = {teacher.name for teacher in allowed_teachers(home, task)}
    ranks = [int(re.search(r"features of (\d+)\.", alt)[1]) for alt in alts(app)]
    assert len(ranks) == len(teachers)
    assert (ranks[0], ranks) == (1, sorted(ranks))
    assert alts(app)[0].startswith(
        f"UMAP of 604 training images in the features of 1. {get_teacher(home, TEACHER).title}"
    )
    assert all(alt.startswith("PCA of 604 training images") for alt in alts(app)[1:])
    rows = task.labeled_rows(DRAW)
    found = separation(FeatureStore(home, task, get_teacher(home, TEACHER)).read_features(rows), task.labels[rows])
    assert f"Nearest neighbor right {100 * found.nearest:.0f} %" in text_of(app)
    assert f"silhouette {found.silhouette:.2f}, on 45 labeled images" in text_of(app)
    assert not list_jobs(home.jobs)
    shown(button(app, f"Draw {len(teachers) - 1} UMAPs").click().run())
    [job] = list_jobs(home.jobs)
    assert (job.kind, set(job.spec["teachers"])) == (maps.KIND, teachers - {TEACHER})
    assert progress_of(app) == ["UMAPs of 604 images · begins next"]


@pytest.mark.parametrize(
    ("by", "text"),
    [
        ("pseudo", "Each teacher has classes of its own"),
        ("proposed", "Objects"),
        ("sureness", " 1"),
        ("apart", " 1"),
        ("right", "No student of this task is finished yet"),
    ],
)
def test_colors_say_what_was_chosen(home, task, by, text):
    app = open_all(by=by)
    said = text_of(app) + "".join(element.value for element in app.html)
    assert text in said


def test_the_two_teachers_whose_disagreement_is_shown_can_be_chosen(home, task):
    app = open_all(by="apart")
    first, second = (app.selectbox(key=f"widget map {which}").value for which in ("first", "second"))
    names = sorted({teacher.name for teacher in allowed_teachers(home, task)} - {first, second})
    shown(app.selectbox(key="widget map first").set_value(names[0]).run())
    shown(app.selectbox(key="widget map second").set_value(names[1]).run())
    assert [app.selectbox(key=f"widget map {which}").value for which in ("first", "second")] == names[:2]
    assert app.session_state[FeaturesDraft.key()].pair == {"emoji-fluent": (names[0], names[1])}
    shown(app.selectbox(key="widget map first").set_value(names[1]).run())  # which was the second: they change places
    assert app.session_state[FeaturesDraft.key()].pair == {"emoji-fluent": (names[1], names[0])}


def test_without_features_the_cards_say_so(home):
    app = open_all()
    assert not alts(app)
    assert sum("No features extracted yet" in element.value for element in app.html) > 5
    assert "rank the teachers first" in text_of(app)


def test_proposals_disagreement_and_pseudo_labels_follow_from_features(home, task):
    rows = task.train_rows
    found = proposals(home, task, rank(home, task, draw=DRAW), rows)
    assert found.probabilities.shape == (604, 9)
    assert sum(found.teachers.values()) == pytest.approx(1)
    labeled = np.isin(rows, task.labeled_rows(DRAW))
    truth = task.labels[rows]
    assert (found.probabilities.argmax(1) == truth)[labeled].all()
    assert (found.probabilities.argmax(1) == truth)[~labeled].mean() > 0.9
    best, weak = get_teacher(home, TEACHER), get_teacher(home, "mnist")
    apart = disagreement(home, task, DRAW, (best, weak), rows)
    assert apart.shape == (604,)
    assert ((apart >= 0) & (apart <= 1)).all()
    np.testing.assert_allclose(disagreement(home, task, DRAW, (best, best), rows), 0, atol=1e-6)
    said = FeatureStore(home, task, best).read(rows).pseudo_labels
    assert np.array_equal(top_pseudo_labels(home, task, best, rows).classes, said.argmax(axis=1))
    assert top_pseudo_labels(home, task, best, np.arange(len(task.images))) is None  # not of the test images


def test_a_small_map_has_each_image_where_it_lies_in_its_color():
    places = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    source = small_maps.picture(places, np.array([0, 1, -1]), ["#ff0000", "#0000ff"], np.array([False, True, False]))
    picture = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGBA")
    left, right = small_maps.MARGIN, small_maps.WIDTH - 1 - small_maps.MARGIN
    top, bottom = small_maps.MARGIN, small_maps.HEIGHT - 1 - small_maps.MARGIN
    red, blue, gray = (picture.getpixel(place) for place in ((left, bottom), (right, top), (right, bottom)))
    assert red[0] > 150 > 100 > red[2]
    assert blue[2] > 150 > 100 > blue[0]
    assert max(gray[:3]) - min(gray[:3]) < 40
    assert picture.getpixel((left, top))[3] == 0


def test_highlighted_names_keep_their_color_and_words_follow_codes():
    found = Coloring(np.array([0, 1, 2, -1]), ("a", "b", "c"), ("#1", "#2", "#3"), "unknown")
    assert found.values() == ["a", "b", "c", "unknown"]
    assert found.highlighted(["b"]).codes.tolist() == [-1, 1, -1, -1]
    assert found.highlighted([]) is found
    assert Coloring(np.array([0, 11]), ("0", "1"), ("#0",) * 12, ramp=True).values() == ["0.00", "1.00"]
