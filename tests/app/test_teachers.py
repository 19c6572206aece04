import json
import math
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app import queues
from app.components.escaping import escape
from engine import jobs
from engine.features import add_outputs
from engine.files import write_json
from engine.handlers import HANDLERS
from engine.jobs import list_jobs, states, worker
from engine.methods import METHODS
from engine.records import write_record
from engine.results import RESULT
from engine.review import open_task
from engine.runs import candidates, rank
from engine.runs import panel as panels
from engine.runs.extraction_job import estimate_extraction
from engine.runs.panel import teacher_panel
from engine.runs.spec import run_spec_from
from engine.similarity import METRICS
from engine.tasks import Draw
from engine.teachers import TeacherDescription, get_teacher
from tests.app import made_runs
from tests.app.made_features import extracted
from tests.app.pages import button, open_page, progress_of, shown, text_of

STRENGTHS = {"emoji-google": 4.0, "imagenet-lite0": 2.0, "mnist": 0.0}


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.fixture
def task(home):
    """A task with the features of its labeled images of up to two draws, by every teacher."""
    task = open_task(home, "emoji-fluent")
    extracted(home, task, task.labeled_rows(Draw(5, 0)), STRENGTHS)
    return task


def bars(app, key="similarity"):
    """Traces of the chart whose key begins with `key`, as the browser gets them."""
    chart = next(c for c in app.get("plotly_chart") if key in c.proto.id)
    return json.loads(chart.proto.spec)["data"]


def weights(app):
    return {metric.label: metric.value for metric in app.metric}


def test_a_visit_queues_nothing_and_offers_one_button_with_an_estimate(home):
    app = open_page("teachers", task="emoji-fluent")
    assert not list_jobs(home.jobs)
    assert [found.label for found in app.button if found.proto.type == "primary"] == ["Rank the teachers"]
    assert "450 outputs (images × teachers) are to be extracted, once. About **13 s** on an idle" in text_of(app)


def test_a_ranking_that_was_asked_for_can_be_cancelled_and_tried_again(home):
    app = open_page("teachers", task="emoji-fluent")
    shown(button(app, "Rank the teachers").click().run())
    (job,) = list_jobs(home.jobs)
    assert (job.kind, jobs.status(job).state) == ("extraction", "queued")
    assert progress_of(app) == ["Extracting the teachers' outputs for the labeled images · begins next"]
    assert len(app.dataframe[0].value) == sum(c.allowed for c in candidates(home, open_task(home, "emoji-fluent")))
    shown(button(app, "Cancel").click().run())
    assert jobs.status(job).state == "cancelled"
    app.run()
    shown(button(app, "Try again").click().run())
    assert jobs.status(job).state == "queued"


def test_the_page_ranks_as_soon_as_the_look_is_done(home):
    """With the real networks: what the job leaves is what the ranking needs."""
    app = open_page("teachers", session={"labels_per_class": 2}, task="emoji-fluent")
    shown(button(app, "Rank the teachers").click().run())
    (job,) = list_jobs(home.jobs)
    assert worker.run(job.folder, HANDLERS) == worker.DONE, jobs.status(job).message
    app = shown(app.run())
    assert app.subheader[0].value == "Similarity to the task"
    task = open_task(home, "emoji-fluent")
    assert [job.kind for job in list_jobs(home.jobs)] == ["panel", "extraction"], "intervals come with the ranking"
    assert estimate_extraction(home, task, Draw(5, 0), device="cpu").measured_at is not None
    ranking = rank(home, task, draw=Draw(2))
    assert list(app.dataframe[0].value["Teacher"]) == [ranked.teacher.title for ranked in ranking.ranked]


def test_the_table_has_similarities_and_records_the_most_similar_first(home, task):
    app = open_page("teachers", task="emoji-fluent")
    table = app.dataframe[0].value
    ranking = rank(home, task)
    assert ranking.ranked[0].teacher.name == "emoji-google"
    assert list(table["Teacher"]) == [ranked.teacher.title for ranked in ranking.ranked]
    assert list(table["PARC"]) == [ranked.similarity for ranked in ranking.ranked]
    first = table.iloc[0]
    assert first["Relation to the task"] == "same collection, other parts of it"
    assert first["Parameters, M"] == ranking.ranked[0].teacher.parameters / 1e6
    assert first["License"] == ranking.ranked[0].teacher.license


def test_another_metric_ranks_anew(home, task):
    app = open_page("teachers", task="emoji-fluent")
    shown(app.selectbox(key="widget metric").set_value("knn").run())
    table = app.dataframe[0].value
    ranking = rank(home, task, metric="knn")
    assert list(table["Nearest neighbor"]) == [ranked.similarity for ranked in ranking.ranked]
    assert "static" not in app.selectbox(key="widget metric").options  # it does not use the images


def test_the_slider_goes_from_equal_shares_to_the_nearest_teacher(home, task):
    app = open_page("teachers", task="emoji-fluent")
    everyone = len(rank(home, task).candidates)
    slider = "widget p"
    shown(app.select_slider(key=slider).set_value(0.0).run())
    assert weights(app) == {
        "Effective number of teachers": f"{everyone}.0 of {everyone}",
        "Take part": f"{everyone} of {everyone}",
    }
    shown(app.select_slider(key=slider).set_value(math.inf).run())
    assert weights(app) == {"Effective number of teachers": f"1.0 of {everyone}", "Take part": f"1 of {everyone}"}
    shown(app.segmented_control(key="widget preset").set_value(0.0).run())
    assert app.select_slider(key=slider).value == 0.0
    assert weights(app)["Take part"] == f"{everyone} of {everyone}"


def test_without_a_ranking_the_weights_are_equal_shares_and_say_so(home, task):
    extracted(home, task, task.labeled_rows(Draw(1, 3)), STRENGTHS)
    app = open_page("teachers", session={"labels_per_class": 1, "seed": 3}, task="emoji-fluent")
    assert app.info[0].value.startswith("No ranking possible:")
    everyone = len(rank(home, task).candidates)
    assert weights(app)["Effective number of teachers"] == f"{everyone}.0 of {everyone}"
    assert app.select_slider(key="widget p").disabled
    assert "PARC" not in app.dataframe[0].value.columns


def with_panel(home, task, resamples=6):
    """What the job would leave in the workspace: all metrics with intervals."""
    spec = panels.panel_spec(home, task, Draw())
    found = teacher_panel(home, task, resamples=resamples)
    write_record(panels._path(home, spec), found)
    return found


def test_intervals_are_computed_by_a_job_that_is_asked_for_and_the_page_stands_meanwhile(home, task):
    app = open_page("teachers", task="emoji-fluent")
    assert not list_jobs(home.jobs)
    shown(button(app, "Compute them").click().run())
    assert [job.kind for job in list_jobs(home.jobs)] == ["panel"]
    assert progress_of(app)[0].startswith("How sure is this?")
    assert "PARC" in app.dataframe[0].value.columns
    assert "Low" not in app.dataframe[0].value.columns


def test_intervals_and_how_sure_the_first_place_is(home, task):
    found = with_panel(home, task)
    app = open_page("teachers", task="emoji-fluent")
    assert not list_jobs(home.jobs)
    places = found.under("parc").places
    assert f"stays first in {100 * places[0].probability_first:.0f} % of the resamples" in text_of(app)
    table = app.dataframe[0].value
    assert list(table["Low"]) == [place.interval.low for place in places]
    trace = next(trace for trace in bars(app) if trace.get("error_x"))
    assert trace["error_x"]["symmetric"] is False


def test_the_agreement_of_all_metrics(home, task):
    found = with_panel(home, task)
    app = open_page("teachers", task="emoji-fluent")
    assert f"Over {len(found.mean_rank.metrics)} metrics" in text_of(app)
    [heat] = bars(app, "ranks by metric")
    assert heat["type"] == "heatmap"
    assert len(heat["y"]) == len([m for m in found.metrics if m.places])
    assert "When it misleads" in text_of(app)
    app.session_state["tau between metrics"] = True
    shown(app.run())
    shown(app.toggle(key="tau as a table").set_value(True).run())
    table = next(each.value for each in app.dataframe if "Metric" in each.value and len(each.value.columns) > 10)
    assert list(table["Metric"]) == list(table.columns[1:])
    [tau] = [each for each in bars(app, "tau") if each["type"] == "heatmap"]
    assert [[None if value != value else value for value in row] for row in table.iloc[:, 1:].to_numpy()] == tau["z"]


def closer(app, name):
    return shown(app.segmented_control(key="teachers-closer").set_value(name).run())


def test_the_ranking_at_fewer_labels_is_shown_and_more_are_offered(home, task):
    with_panel(home, task)
    app = closer(open_page("teachers", task="emoji-fluent"), "Labels needed")
    assert "at 2 **" in text_of(app)
    assert "At 10 and 20 labels per class" in text_of(app)
    shown(button(app, "Rank at 20 labels per class").click().run())
    assert [job.spec["labels_per_class"] for job in list_jobs(home.jobs)] == [20]


def test_similarity_against_cost(home, task):
    found = with_panel(home, task)
    app = closer(open_page("teachers", task="emoji-fluent"), "Cost")
    traces = bars(app, "similarity over cost")
    assert sum(len(trace["text"]) for trace in traces) == len(found.teachers)
    assert {trace["marker"]["symbol"] for trace in traces} == {"circle", "diamond"}


@pytest.fixture
def of_outputs(home, task, tmp_path):
    """A teacher that is known by its features of the task's images alone, and has no classes of its own."""
    features = np.random.default_rng(0).normal(size=(len(task.images), 8)).astype(np.float32)
    path = tmp_path / "scans.parquet"
    pq.write_table(pa.table({"image": task.images.image_ids, "features": list(features)}), path)
    return add_outputs(home, task, path, path.name, TeacherDescription(title="Scans <1>", collection="clinic"))


def test_a_teacher_without_classes_leaves_cells_of_metrics_that_need_them_empty(home, task, of_outputs):
    found = with_panel(home, task)
    assert of_outputs.name in {place.teacher for place in found.mean_rank.places}
    app = open_page("teachers", task="emoji-fluent")
    [heat] = bars(app, "ranks by metric")
    without = {METRICS[key].title for key in ("leep", "nce")}
    [place] = [place for place, title in enumerate(heat["x"]) if title.startswith("Scans")]
    assert {title for title, row in zip(heat["y"], heat["text"], strict=True) if row[place] == ""} == without
    assert "A cell is empty where a teacher has no classes of its own" in text_of(app)


def test_a_teacher_of_outputs_alone_is_named_below_the_chart_of_costs(home, task, of_outputs):
    found = with_panel(home, task)
    app = closer(open_page("teachers", task="emoji-fluent"), "Cost")
    assert sum(len(trace["text"]) for trace in bars(app, "similarity over cost")) == len(found.teachers) - 1
    assert r"their outputs were brought and cost nothing here: Scans \<1\>." in text_of(app)
    shown(app.multiselect(key="teachers-collections-emoji-fluent").set_value(["clinic"]).run())
    assert "there is no cost to hold it against" in text_of(app)


def test_filters_change_charts_and_table_and_never_the_weights(home, task):
    app = open_page("teachers", task="emoji-fluent")
    everyone, before = len(app.dataframe[0].value), weights(app)
    shown(app.multiselect(key="teachers-collections-emoji-fluent").set_value(["imagenet"]).run())
    assert set(app.dataframe[0].value["Collection"]) == {"imagenet"}
    assert f"{everyone - 3} teachers are filtered out" in text_of(app)
    assert weights(app) == before
    shown(app.multiselect(key="teachers-collections-emoji-fluent").set_value([]).run())
    shown(app.selectbox(key="teachers-order-emoji-fluent").set_value("GFLOPs").run())
    assert app.dataframe[0].value["GFLOPs"].is_monotonic_increasing


def test_every_metric_opens_its_card(home, task):
    app = open_page("teachers", task="emoji-fluent")
    shown(app.selectbox(key="widget metric").set_value("logme").run())
    assert METRICS["logme"].card.formula in next(found.value for found in app.latex)
    assert "2102" in text_of(app)


def test_weights_set_by_hand_are_marked_and_end_with_the_slider(home, task):
    app = open_page("teachers", {"task": "emoji-fluent", "manual_alpha": {"mnist": 3.0, "cifar10": 1.0}})
    assert weights(app)["Take part"].startswith("2 of")
    assert "The weights were set by hand." in text_of(app)
    shown(app.select_slider(key="widget p").set_value(0.0).run())
    assert "The weights were set by hand." not in text_of(app)
    assert not app.session_state["manual_alpha"]


def test_was_it_true_offers_runs_and_then_says_so(home, task):
    app = closer(open_page("teachers", task="emoji-fluent"), "Was it true?")
    assert "Nobody knows yet" in text_of(app)
    app.number_input(key="teachers-measure-images").set_value(400)
    app = shown(app.run())
    app = shown(button(app, "Measure").click().run())
    queued = list_jobs(home.runs)
    allowed = [c for c in candidates(home, task) if c.allowed]
    assert len(queued) == len(allowed) + 1
    assert {job.spec["train"]["images"] for job in queued} == {400}
    assert progress_of(app)[-1].startswith(f"0 of {len(queued)} runs have ended")
    _, other = made_runs.planned(home, ["fine-tune"], [0], labels_per_class=Draw.labels_per_class, images=640)
    made_runs.fail(home, other.runs[0], "It is of a comparison.")
    made_runs.fail(home, queued[0].id, "The disk *is* full.")
    made_runs.fail(home, queued[1].id, "The disk *is* full.")
    app = shown(app.run())
    spec, title = queued[0].spec, get_teacher(home, next(iter(queued[0].spec["teachers"]))).title
    [said] = [error.value for error in app.error]
    assert f"{METHODS[spec['method']].title} with {escape(title)}, seed 0" in said
    assert said.endswith(r"The disk \*is\* full.")
    for job in queued[:2]:
        jobs.resume(job)
    ranking = rank(home, task)
    for job in queued:  # taught worse, the more similar
        names = list(job.spec["teachers"] or [])
        order = [r.rank for r in ranking.ranked if r.teacher.name in names]
        finish_run(job, 0.3 + 0.02 * order[0] if order else 0.35)
    app = shown(app.run())
    assert "The ranking did not help here" in text_of(app)
    assert "no teacher at all (fine-tuning) 35.0 %" in text_of(app)
    assert len(bars(app, "predicted and measured")) == 2


def finish_run(job, accuracy):
    running = states.begin(job, os.getpid())
    write_json(job.folder / RESULT, made_runs.result(run_spec_from(job.spec), accuracy, 236, []))
    states.finish(job, running, "done")


def test_a_clicked_bar_chooses_its_teacher_once(home, task):
    app = open_page("teachers", task="emoji-fluent")
    app.session_state["similarity parc 0"] = {"selection": {"points": [{"customdata": ["mnist"]}]}}
    shown(app.run())
    assert app.query_params["teacher"] == "mnist"
    assert app.selectbox(key="widget teacher").value == "mnist"
    shown(app.selectbox(key="widget teacher").set_value("cifar10").run())
    assert app.query_params["teacher"] == "cifar10"


def test_the_record_of_the_teacher_in_the_url_is_shown(home, task):
    app = open_page("teachers", task="emoji-fluent", teacher="imagenet-lite2")
    assert app.selectbox(key="widget teacher").value == "imagenet-lite2"
    assert "1,281,167 images" in text_of(app)


def test_a_teacher_of_the_same_images_is_listed_with_the_reason(home):
    task = open_task(home, "openclipart")
    extracted(home, task, task.labeled_rows(Draw(5, 0)), {})
    app = open_page("teachers", task="openclipart")
    excluded = app.table[0].value
    assert list(excluded["Teacher"]) == ["Clip art in 13 subjects"]
    assert "would leak" in excluded["Reason"].iloc[0]
    assert "Clip art in 13 subjects" not in list(app.dataframe[0].value["Teacher"])
