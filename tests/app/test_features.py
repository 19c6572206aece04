import json

import numpy as np
import pandas as pd
import pytest

from app import queues
from app.components import scatter
from app.components.escaping import escape_chart
from app.views.features.draft import FeaturesDraft
from engine import jobs, maps
from engine.jobs import list_jobs
from engine.maps import Map
from engine.review import open_task
from engine.tasks import Draw
from engine.teachers import get_teacher
from tests.app.made_features import extracted
from tests.app.pages import button, open_page, progress_of, shown, text_of

TEACHER = "emoji-google"


@pytest.fixture(autouse=True)
def no_queue(monkeypatch, tmp_path):
    monkeypatch.setattr(maps, "ASSETS", tmp_path / "no maps")
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.fixture
def task(home):
    """A task with the features of its labeled images, by every teacher."""
    task = open_task(home, "emoji-fluent")
    extracted(home, task, task.labeled_rows(Draw(5, 0)), {TEACHER: 4.0})
    return task


@pytest.fixture
def mapped(home, task):
    """The same, with a finished UMAP in the workspace."""
    rows = maps.map_rows(task)
    coordinates = np.random.default_rng(0).normal(size=(len(rows), 2)).astype(np.float32)
    maps.write_map(home.maps, task, get_teacher(home, TEACHER), Map("umap", rows, coordinates))
    return task


def open_one(**draft):
    """The map of one teacher."""
    return open_page("features", session={FeaturesDraft.key(): FeaturesDraft(view="one", **draft)}, task="emoji-fluent")


def traces(app):
    return json.loads(app.get("plotly_chart")[0].proto.spec)["data"]


def points(app):
    return [row for trace in traces(app) for row in trace["customdata"]]


def pick(app, rows, kind="umap"):
    picked = {"selection": {"points": [{"customdata": int(row)} for row in rows]}}
    app.session_state[f"map emoji-fluent {TEACHER} {kind}"] = picked
    return shown(app.run())


def test_pca_of_what_was_seen_is_there_at_once_and_umap_when_it_is_asked_for(home, task):
    app = open_one()
    assert not list_jobs(home.jobs)
    assert app.selectbox(key="widget features teacher").value == TEACHER  # the most similar one
    assert sorted(points(app)) == list(task.labeled_rows(Draw(5, 0)))
    assert "45 training images of 604" in text_of(app)
    shown(button(app, "Draw the UMAP as well").click().run())
    assert progress_of(app) == ["UMAP of 604 images · begins next"]
    (job,) = list_jobs(home.jobs)
    assert (job.kind, jobs.status(job).state) == ("map", "queued")


def test_without_any_features_the_page_offers_a_map_and_queues_nothing(home):
    app = open_one()
    assert not app.get("plotly_chart")
    assert "are not extracted yet. That is done once, for 604 images" in text_of(app)
    assert not list_jobs(home.jobs)
    shown(button(app, "Draw the map").click().run())
    assert progress_of(app) == ["UMAP of 604 images · begins next"]


def test_looking_at_teachers_fills_no_queue(home, task):
    app = open_one()
    shown(app.selectbox(key="widget features teacher").set_value("cifar10").run())
    assert app.query_params["teacher"] == "cifar10"
    assert not list_jobs(home.jobs)
    shown(button(app, "Draw the UMAP as well").click().run())
    assert {job.spec["teacher"] for job in list_jobs(home.jobs)} == {"cifar10"}


def test_umap_is_shown_when_it_is_ready_and_pca_can_be_chosen(home, mapped):
    app = open_one()
    assert sorted(points(app)) == list(mapped.train_rows)
    assert not list_jobs(home.jobs)
    assert not set(points(app)) & set(mapped.test_rows)
    shown(app.segmented_control(key="widget map kind").set_value("pca").run())
    assert sorted(points(app)) == list(mapped.labeled_rows(Draw(5, 0)))


def test_where_a_umap_came_without_features_it_is_said_why_there_is_no_pca(home):
    bare = open_task(home, "emoji-fluent")
    rows = maps.map_rows(bare)
    maps.write_map(home.maps, bare, get_teacher(home, TEACHER), Map("umap", rows, np.zeros((len(rows), 2), np.float32)))
    app = open_one(kind="pca")
    shown(app.selectbox(key="widget features teacher").set_value(TEACHER).run())
    assert not app.get("plotly_chart")
    assert "so there is no PCA" in app.info[0].value


def test_the_legend_shows_the_mark_of_most_points(home, mapped):
    """Plotly's legend takes the mark of a trace's first point."""
    table = scatter.point_table(mapped, maps.read_map(home, mapped, TEACHER, "umap"), mapped.labeled_rows(Draw(5, 0)))
    figure = scatter._figure(table, mapped.classes, [], lasso=False)
    assert {trace.marker.symbol[0] for trace in figure.data} == {scatter.CIRCLE}
    assert {trace.marker.symbol[-1] for trace in figure.data} == {scatter.DIAMOND}, "labeled ones lie on top"


def test_labeled_images_have_another_marker(home, mapped):
    app = open_one()
    table = scatter.point_table(mapped, maps.read_map(home, mapped, TEACHER, "umap"), mapped.labeled_rows(Draw(5, 0)))
    figure = scatter._figure(table, mapped.classes, [], lasso=False)
    diamonds = [
        row
        for trace in figure.data
        for row, symbol in zip(trace.customdata, trace.marker.symbol, strict=True)
        if symbol == scatter.DIAMOND
    ]
    assert sorted(diamonds) == list(mapped.labeled_rows(Draw(5, 0)))
    assert [trace["name"] for trace in traces(app)] == [escape_chart(name) for name in mapped.classes]


def test_picked_points_show_their_images_with_class_names(home, mapped):
    app = open_one()
    assert "**Pick** a point" in text_of(app)
    rows = mapped.train_rows[[3, 80, 300]]
    app = pick(app, rows)
    assert "**3 images**" in text_of(app)
    for row in rows:
        name = mapped.classes[mapped.labels[row]].replace("&", "&amp;")
        assert "<figcaption" in app.html[0].value
        assert f"{name}, unlabeled, " in app.html[0].value or f"{name}, labeled, " in app.html[0].value


def test_a_large_lasso_shows_a_spread_and_counts_them_all(home, mapped):
    app = pick(open_one(), mapped.train_rows)
    assert "**604 images**" in text_of(app)
    assert app.html[0].value.count("<img") == 60
    assert "60 of them are shown" in text_of(app)


def test_what_was_picked_outlives_a_change_of_the_map_and_can_be_cleared(home, mapped):
    app = pick(open_one(), mapped.train_rows[:2])
    app.segmented_control(key="widget map tool").set_value("Lasso")
    app = pick(app, [])  # the browser forgets, since the chart is another one
    assert "**2 images**" in text_of(app)
    shown(button(app, "Clear").click().run())
    assert "**Pick** a point" in text_of(app)


def test_highlighted_classes_keep_their_color_and_all_others_turn_gray(home, mapped):
    app = open_one()
    shown(app.multiselect(key="widget map classes").set_value(["Flags"]).run())
    gray, flags = traces(app)
    assert (gray["name"], gray["marker"]["color"]) == ("other classes", scatter.GRAY)
    assert flags["name"] == "Flags"
    assert flags["marker"]["color"] == scatter.class_colors(9)[mapped.classes.index("Flags")]


def test_the_colors_of_many_classes_are_all_different():
    assert len(set(scatter.class_colors(45))) == 45


def test_the_map_as_a_table(home, mapped):
    app = open_page(
        "features",
        session={"map table": True, FeaturesDraft.key(): FeaturesDraft(view="one")},
        task="emoji-fluent",
    )
    table = app.dataframe[0].value
    assert list(table.columns) == ["Image", "Class", "Labeled", "x", "y"]
    assert len(table) == 604
    assert table["Labeled"].sum() == 45


def test_of_very_many_points_the_labeled_ones_and_a_sample_are_drawn(monkeypatch):
    monkeypatch.setattr(scatter, "DRAWN", 30)
    points = pd.DataFrame({"row": range(100), "Labeled": [row % 10 == 3 for row in range(100)]})
    drawn = scatter.thinned(points)
    assert len(drawn) == 30
    assert drawn["row"].is_monotonic_increasing
    assert set(range(3, 100, 10)) <= set(drawn["row"])
    assert scatter.thinned(points).equals(drawn)
    assert scatter.thinned(drawn) is drawn


def test_where_the_map_is_a_sample_one_of_all_images_is_offered(home, mapped, monkeypatch):
    monkeypatch.setattr(maps, "LARGEST_MAP", 100)
    rows, teacher = maps.map_rows(mapped), get_teacher(home, TEACHER)
    maps.write_map(home.maps, mapped, teacher, Map("umap", rows, np.zeros((100, 2), np.float32)))
    app = open_one()
    assert "100 training images, a random sample of 604" in text_of(app)
    button(app, "Draw the UMAP of 604 images").click()
    app = shown(app.run())
    [job] = list_jobs(home.jobs)
    assert job.spec["whole"] is True
    everyone = Map("umap", maps.map_rows(mapped, whole=True), np.zeros((604, 2), np.float32))
    maps.write_map(home.maps, mapped, teacher, everyone, whole=True)
    monkeypatch.setattr(scatter, "DRAWN", 200)
    monkeypatch.setattr(maps, "SPECTRAL_BELOW", 600)
    app = open_one()
    assert "604 training images, placed by UMAP from a PCA; 200 of them are drawn" in text_of(app)
    assert len(points(app)) == 200
