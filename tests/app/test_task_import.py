import json

import pytest

from app import state
from engine.handlers import HANDLERS
from engine.jobs import list_jobs, request_cancel, worker
from engine.tasks import open_task, task_names
from tests.app.pages import button, open_page, shown, text_of
from tests.engine.tasks import made_sources as made

ZIP = "application/zip"


@pytest.fixture(autouse=True)
def no_queue(monkeypatch, one_decoder):
    monkeypatch.setattr(state, "queue", lambda device: None)


def packed(tmp_path, files, name="cats_2026.zip"):
    return (name, made.zipped(tmp_path / name, files).read_bytes(), ZIP)


def drop(app, *files):
    return shown(app.file_uploader[0].set_value(list(files)).run())


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def jobs_of(home):
    return list_jobs(home / "jobs")


def test_a_zip_is_shown_then_made_then_opened(home, tmp_path):
    files = made.classes_of(6, names=("<b>cat", "دب"), prefix="labeled/")
    files |= {f"unlabeled/{i}.jpg": made.jpg(900 + i) for i in range(4)}
    app = drop(open_page("task_import"), packed(tmp_path, files))
    assert metrics(app) == {"Images": "16", "Classes": "2", "Labeled": "12", "Unlabeled": "4"}
    assert "Read as **labeled and unlabeled**" in text_of(app)
    (pictures,) = [html.value for html in app.html if "<figure" in html.value]
    assert pictures.count("<img") == 12
    assert "&lt;b&gt;cat" in pictures
    assert "<b>cat" not in pictures  # shown, not run
    assert app.text_input[0].value == "cats 2026"
    assert not jobs_of(home)
    assert "cats-2026" not in task_names(home)

    shown(app.text_input[0].set_value("Кошки 🐈").run())
    shown(button(app, "Make this task").click().run())
    (job,) = jobs_of(home)
    assert job.spec["title"] == "Кошки 🐈"
    assert "goes on when the page is closed" in text_of(app)
    assert worker.run(job.folder, HANDLERS) == 0
    app = shown(app.run())
    assert app.title[0].value == "Кошки 🐈"
    assert app.segmented_control(key="widget task part").value == "check"
    assert not list((home / "uploads").iterdir())


def test_a_table_and_its_archive_come_together_and_columns_can_be_changed(home, tmp_path):
    rows = [
        ["file", "species", "sex"],
        *([f"{i}.jpg", "ab"[i % 2] if i < 8 else "", "mf"[i // 4 % 2]] for i in range(10)),
    ]
    table = ("list.csv", made.table(rows).encode(), "text/csv")
    archive = packed(tmp_path, {f"{i}.jpg": made.jpg(i) for i in range(10)}, "pics.zip")
    app = drop(open_page("task_import"), table, archive)
    columns = {box.label: box.value for box in app.selectbox}
    assert columns == {"Image names": "file", "Labels": "species", "Groups": "(none)", "Split": "(none)"}
    assert list(app.dataframe[0].value["Class"]) == ["a", "b"]
    assert metrics(app)["Unlabeled"] == "2"
    assert "list.csv and pics.zip" in text_of(app)
    shown(app.selectbox(key="widget import column label").set_value("sex").run())
    assert list(app.dataframe[0].value["Class"]) == ["m", "f"]
    assert metrics(app)["Unlabeled"] == "0"
    shown(button(app, "Make this task").click().run())
    (job,) = jobs_of(home)
    assert job.spec["columns"]["label"] == "sex"


def test_images_without_classes_ask_for_two_of_them(home, tmp_path):
    app = drop(open_page("task_import"), *[(f"{i}.jpg", made.jpg(i), "image/jpeg") for i in range(5)])
    assert "have no classes yet" in app.info[0].value
    assert button(app, "Make this task").disabled
    shown(app.text_area[0].set_value("sick\nhealthy\nsick").run())
    shown(button(app, "Make this task").click().run())
    (job,) = jobs_of(home)
    assert job.spec["classes"] == ["sick", "healthy"]
    assert worker.run(job.folder, HANDLERS) == 0
    app = shown(app.run())
    assert app.segmented_control(key="widget task part").value == "label"
    assert open_task(job.spec["name"], home).classes == ("sick", "healthy")


def test_what_cannot_be_read_is_a_sentence_with_a_way_back(home):
    app = drop(open_page("task_import"), ("notes.pdf", b"%PDF-1.4", "application/pdf"))
    assert "notes.pdf holds no image files: bring" in app.error[0].value.replace("\\", "")
    assert not app.metric
    shown(button(app, "Bring something else").click().run())
    assert app.file_uploader
    assert not list((home / "uploads").iterdir())


def test_a_name_that_is_taken_or_empty_cannot_be_used(home, own, tmp_path):
    app = drop(open_page("task_import"), packed(tmp_path, made.classes_of(3), f"{own.name}.zip"))
    assert app.text_input[0].value == f"{own.name} 2"
    shown(app.text_input[0].set_value(own.name).run())
    assert "already" in app.warning[0].value
    assert button(app, "Make this task").disabled
    shown(app.text_input[0].set_value(" ").run())
    assert app.warning[0].value == "Give the task a name."
    shown(app.text_input[0].set_value("../../etc/passwd").run())
    assert not app.warning  # a title is never a path: it is only made into a name
    assert "Folders and commands call it etc-passwd" in text_of(app).replace("\\", "")


def test_a_folder_of_the_server_only_under_a_root(home, tmp_path):
    app = shown(open_page("task_import").segmented_control(key="widget import way").set_value("server").run())
    assert "may not import from its own folders yet" in app.info[0].value
    made.put(tmp_path / "data" / "birds", made.classes_of(4))
    made.put(tmp_path / "private", made.classes_of(4))
    home.mkdir(exist_ok=True)
    (home / "settings.json").write_text(json.dumps({"import": {"roots": [str(tmp_path / "data")]}}))
    app = shown(app.run())
    assert app.selectbox[0].options == [str(tmp_path / "data"), str(tmp_path / "data" / "birds")]
    app.selectbox[0].set_value(str(tmp_path / "data" / "birds"))
    app.text_input[0].set_value(str(tmp_path / "private"))
    shown(app.run())
    shown(button(app, "Look at it").click().run())
    assert "lies in no folder that this server may import from" in app.error[0].value
    app.text_input[0].set_value("")
    shown(app.run())
    shown(button(app, "Look at it").click().run())
    assert metrics(app)["Images"] == "8"


def test_an_import_under_way_is_found_again_by_another_visitor(home, tmp_path):
    app = drop(open_page("task_import"), packed(tmp_path, made.classes_of(3)))
    shown(button(app, "Make this task").click().run())
    other = open_page("task_import")
    assert "about to start" in other.get("progress")[0].proto.text
    assert other.file_uploader  # and may bring images of its own
    assert "Being imported: **cats 2026**" in text_of(open_page("start"))
    request_cancel(jobs_of(home)[0])
    shown(app.run())
    assert "it can be resumed" in text_of(app)
    shown(button(app, "Try again").click().run())
    assert worker.run(jobs_of(home)[0].folder, HANDLERS) == 0
    assert "**cats 2026** is imported." in text_of(shown(other.run()))
