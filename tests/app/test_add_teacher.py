"""The page that adds teachers."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import timm
import torch
from safetensors.torch import save_file

from app import queues
from app.views.add_teacher import files
from app.views.add_teacher.draft import AddTeacherDraft
from engine import jobs
from engine.features import add_outputs
from engine.handlers import HANDLERS
from engine.jobs import list_jobs, worker
from engine.review import open_task
from engine.runs import rank
from engine.tasks import Draw
from engine.teachers import TeacherDescription, added_teachers, recommended
from engine.teachers.from_hub import request_hub
from tests.app.made_features import extracted
from tests.app.pages import button, open_page, shown, text_of
from tests.engine.delivery import made_task

TIMM = "test_resnet.r160_in1k"


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.fixture
def hub(home, tmp_path, monkeypatch):
    place = tmp_path / "hub" / "timm" / TIMM
    place.mkdir(parents=True)
    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet").state_dict(), place / "model.safetensors")
    monkeypatch.setenv("WORKBENCH_HUB", str(tmp_path / "hub"))


def way(name):
    return {AddTeacherDraft.key(): AddTeacherDraft(way=name)}


def test_recommended_teachers_have_license_and_source_and_one_click_asks_for_it(home):
    app = open_page("add_teacher")
    text = text_of(app)
    for entry in recommended():
        assert f"https://huggingface.co/{entry.repository}" in text
    assert len([b for b in app.button if b.label == "Add"]) == len(recommended())
    shown(button(app, "Add").click().run())
    [job] = list_jobs(home.jobs)
    assert (job.kind, job.spec["name"]) == ("add-hub", recommended()[0].name)


def test_a_search_shows_what_fits(home):
    app = open_page("add_teacher", session=way("search"))
    shown(app.text_input(key="timm-words").set_value("mobilenetv4 small 050").run())
    table = app.dataframe[0].value
    assert list(table["Name"]) == ["mobilenetv4_conv_small_050.e3000_r224_in1k"]
    assert list(table["License"]) == ["apache-2.0"]
    shown(app.text_input(key="timm-words").set_value("no such network").run())
    assert "No network fits" in app.info[0].value


def test_a_repository_of_the_hub_is_asked_for_by_its_name(home):
    app = open_page("add_teacher", session=way("search"))
    shown(app.text_input(key="timm-words").set_value("our-lab/cells_resnet18").run())
    assert "is not in timm's registry" in text_of(app)
    shown(button(app, "Add this repository").click().run())
    [job] = list_jobs(home.jobs)
    assert (job.kind, job.spec["name"]) == ("add-hub", "our-lab/cells_resnet18")


def test_a_job_that_failed_says_why_on_the_page(home, monkeypatch):
    app = open_page("add_teacher")
    shown(button(app, "Add").click().run())
    [job] = list_jobs(home.jobs)
    assert worker.run(job.folder, HANDLERS) == worker.FAILED
    app = shown(app.run())
    assert "could not be downloaded" in text_of(app)
    shown(button(app, "Try again").click().run())
    assert jobs.status(job).state == "queued"


@pytest.mark.parametrize(("name", "key"), [("checkpoint", "checkpoint-add"), ("outputs", "outputs-add")])
def test_a_form_without_a_file_asks_for_one(home, name, key):
    app = open_page("add_teacher", session=way(name), task="emoji-fluent")
    shown(app.button(key=key).click().run())
    assert "first" in app.error[0].value


def test_a_table_needs_a_task(home):
    app = open_page("add_teacher", session=way("outputs"))
    assert "No task is chosen yet" in text_of(app)


def test_added_teachers_are_listed_with_their_origin_and_removed(hub, home):
    job = request_hub(home, TIMM, TeacherDescription(title="<b>Bold</b> one"), None)
    assert worker.run(job.folder, HANDLERS) == worker.DONE, jobs.status(job).message
    app = open_page("add_teacher", session=way("added"))
    text = text_of(app)
    assert r"\<b\>Bold\</b\> one" in text
    assert "Pretrained" in text
    shown(app.button(key="really remove b-bold-b-one").click().run())
    assert added_teachers(home) == []
    assert "No teacher was added yet" in app.info[0].value


def test_the_teachers_page_ranks_an_added_one_and_says_what_it_cannot_do(home, tmp_path):
    task = open_task(home, "emoji-fluent")
    extracted(home, task, task.labeled_rows(Draw(5, 0)), {}, usual=0.0)  # the bundled ones tell nothing apart
    path = tmp_path / "table.parquet"
    features = np.eye(len(task.classes))[np.maximum(task.labels, 0)].astype(np.float32)
    features += np.random.default_rng(0).normal(0, 0.01, features.shape).astype(np.float32)
    pq.write_table(pa.table({"image_id": task.images.image_ids, "features": list(features)}), path)
    record = add_outputs(home, task, path, "t.parquet", TeacherDescription(title="<i>Ours</i>", collection="clinic"))
    app = open_page("teachers", task="emoji-fluent")
    table = app.dataframe[0].value
    assert (table.iloc[0]["Teacher"], table.iloc[0]["Origin"]) == ("<i>Ours</i>", "Outputs only")
    assert set(table.iloc[1:]["Origin"]) == {"Bundled"}
    assert "no pseudo-labels: ranked here" in text_of(app)
    assert record.name not in rank(home, task).alpha(12.0)


def test_the_form_of_a_checkpoint_follows_the_architecture_and_sends_what_was_changed(home, monkeypatch):
    asked = []
    monkeypatch.setattr(files, "request_checkpoint", lambda *given: asked.append(given[-1]))
    monkeypatch.setattr(files.job, "start", lambda way, ask: ask())
    monkeypatch.setattr(files, "stage", lambda file, home: None)
    app = open_page("add_teacher", session=way("checkpoint"))
    app = shown(app.selectbox(key="checkpoint-net").set_value("mobilevit_xxs").run())
    assert app.number_input(key="checkpoint-size-mobilevit_xxs").value == 256
    assert app.text_input(key="checkpoint-mean-mobilevit_xxs").value == "0, 0, 0"
    app = shown(app.selectbox(key="checkpoint-net").set_value("test_vit").run())
    assert app.selectbox(key="checkpoint-pooling-test_vit").value == "token"
    assert app.text_input(key="checkpoint-std-test_vit").value == "0.5, 0.5, 0.5"
    app.file_uploader(key="checkpoint-file").set_value(("own.pt", b"weights", "application/octet-stream"))
    shown(app.button(key="checkpoint-add").click().run())
    app.selectbox(key="checkpoint-pooling-test_vit").set_value("avg")
    app.text_input(key="checkpoint-mean-test_vit").set_value("0.1, 0.2, 0.3")
    shown(app.button(key="checkpoint-add").click().run())
    plain = {"architecture": "test_vit", "classes": []}
    assert asked == [plain, {**plain, "pooling": "avg", "mean": ["0.1", "0.2", "0.3"]}]


def test_the_form_offers_the_collections_that_are_known_and_says_what_is_closed(home):
    made_task.make_task(home)  # of the collection "garden"
    app = open_page("add_teacher", session=way("checkpoint"))
    assert "Collections that are known here: cifar10, emoji, fashion-mnist, garden" in text_of(app)
    app = shown(app.text_input(key="checkpoint-collections").set_value("Garden, Fashion MNIST").run())
    assert f"Closed to it: fashion-mnist and {made_task.NAME}." in text_of(app)
    app = shown(app.text_input(key="checkpoint-collections").set_value("clinic").run())
    assert "No task here is closed to it." in text_of(app)
