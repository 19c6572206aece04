import io
import json

import numpy as np
import pytest
import tifffile

from app import queues
from app.views.importing import reading
from app.views.importing.draft import ImportDraft
from engine.handlers import HANDLERS
from engine.images import Reading, Values, reading_from, reading_in_words
from engine.intake import ImportRequest
from engine.jobs import list_jobs, request_cancel, worker
from engine.review import open_task
from engine.tasks import task_names
from tests.app.pages import button, open_page, shown, text_of
from tests.engine.intake import made_sources as made

ZIP = "application/zip"


@pytest.fixture(autouse=True)
def no_queue(monkeypatch, one_decoder):
    monkeypatch.setattr(queues, "queue", lambda device: None)


def packed(tmp_path, files, name="cats_2026.zip"):
    return (name, made.zipped(tmp_path / name, files).read_bytes(), ZIP)


def drop(app, *files):
    return shown(app.file_uploader[0].set_value(list(files)).run())


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def jobs_of(home):
    return list_jobs(home.jobs)


def test_a_zip_is_shown_then_made_then_opened(home, tmp_path):
    files = made.classes_of(6, names=("<b>cat", "دب"), prefix="labeled/")
    files |= {f"unlabeled/{i}.jpg": made.jpg(900 + i) for i in range(4)}
    app = drop(open_page("importing"), packed(tmp_path, files))
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
    assert not list((home.uploads).iterdir())


def test_a_table_and_its_archive_come_together_and_columns_can_be_changed(home, tmp_path):
    rows = [
        ["file", "species", "sex"],
        *([f"{i}.jpg", "ab"[i % 2] if i < 8 else "", "mf"[i // 4 % 2]] for i in range(10)),
    ]
    table = ("list.csv", made.table(rows).encode(), "text/csv")
    archive = packed(tmp_path, {f"{i}.jpg": made.jpg(i) for i in range(10)}, "pics.zip")
    app = drop(open_page("importing"), table, archive)
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
    app = drop(open_page("importing"), *[(f"{i}.jpg", made.jpg(i), "image/jpeg") for i in range(5)])
    assert "have no classes yet" in app.info[0].value
    assert button(app, "Make this task").disabled
    shown(app.text_area[0].set_value("sick\nhealthy\nsick").run())
    shown(button(app, "Make this task").click().run())
    (job,) = jobs_of(home)
    assert job.spec["classes"] == ["sick", "healthy"]
    assert worker.run(job.folder, HANDLERS) == 0
    app = shown(app.run())
    assert app.segmented_control(key="widget task part").value == "label"
    assert open_task(home, job.spec["name"]).classes == ("sick", "healthy")


def test_what_cannot_be_read_is_a_sentence_with_a_way_back(home):
    app = drop(open_page("importing"), ("notes.pdf", b"%PDF-1.4", "application/pdf"))
    assert "notes.pdf holds no image files: bring" in app.error[0].value.replace("\\", "")
    assert not app.metric
    shown(button(app, "Bring something else").click().run())
    assert app.file_uploader
    assert not list((home.uploads).iterdir())


def test_a_name_that_is_taken_or_empty_cannot_be_used(home, own, tmp_path):
    app = drop(open_page("importing"), packed(tmp_path, made.classes_of(3), f"{own.name}.zip"))
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
    app = shown(open_page("importing").segmented_control(key="widget import way").set_value("server").run())
    assert "may not import from its own folders yet" in app.info[0].value
    made.put(tmp_path / "data" / "birds", made.classes_of(4))
    made.put(tmp_path / "private", made.classes_of(4))
    home.path.mkdir(exist_ok=True)
    (home.path / "settings.json").write_text(json.dumps({"import": {"roots": [str(tmp_path / "data")]}}))
    app = shown(app.run())
    assert app.selectbox[0].options == [str(tmp_path / "data"), str(tmp_path / "data" / "birds")]
    app.selectbox[0].set_value(str(tmp_path / "data" / "birds"))
    app.text_input[0].set_value(str(tmp_path / "private"))
    shown(app.run())
    shown(button(app, "Read it").click().run())
    assert "lies in no folder that this server may import from" in app.error[0].value
    app.text_input[0].set_value("")
    shown(app.run())
    shown(button(app, "Read it").click().run())
    assert metrics(app)["Images"] == "8"


def test_a_folder_that_was_corrected_meanwhile_is_read_anew(home, tmp_path):
    birds = made.put(tmp_path / "data" / "birds", made.classes_of(4))
    home.path.mkdir(exist_ok=True)
    (home.path / "settings.json").write_text(json.dumps({"import": {"roots": [str(tmp_path / "data")]}}))
    app = open_page("importing", session={ImportDraft.key(): ImportDraft(way="server")})
    for images in (8, 12):
        app.selectbox[0].set_value(str(birds))
        shown(app.run())
        shown(button(app, "Read it").click().run())
        assert metrics(app)["Images"] == str(images)
        made.put(birds, made.classes_of(6, first=50))
        shown(button(app, "Bring something else").click().run())


def test_an_import_under_way_is_found_again_by_another_visitor(home, tmp_path):
    app = drop(open_page("importing"), packed(tmp_path, made.classes_of(3)))
    shown(button(app, "Make this task").click().run())
    other = open_page("importing")
    assert "begins next" in other.get("progress")[0].proto.text
    assert other.file_uploader  # and may bring images of its own
    assert "Being imported: **cats 2026**" in text_of(open_page("start"))
    request_cancel(jobs_of(home)[0])
    shown(app.run())
    assert "it can be resumed" in text_of(app)
    shown(button(app, "Try again").click().run())
    assert worker.run(jobs_of(home)[0].folder, HANDLERS) == 0
    assert "**cats 2026** is imported." in text_of(shown(other.run()))
    assert "**cats 2026** is imported." in text_of(shown(other.run()))  # until it is opened
    shown(button(other, "Open this task").click().run())
    assert other.title[0].value == "cats 2026"
    assert other.segmented_control(key="widget task part").value == "check"


def of_16_bits(tmp_path, channels=1):
    """Six TIFF files of each of two classes, with values from 0 to 1000 and from 0 to 3000."""
    files = {}
    for name, factor in (("dim", 1), ("bright", 3)):
        for i in range(6):
            values = np.random.default_rng(i).integers(0, 1001, (24, 24, channels)).astype(np.uint16) * factor
            values[0, 0], values[0, 1] = 0, 1000 * factor
            stream = io.BytesIO()
            how = {"planarconfig": "contig"} if channels > 1 else {}
            tifffile.imwrite(stream, values.squeeze(), photometric="minisblack", **how)
            files[f"{name}/{i}.tif"] = stream.getvalue()
    return packed(tmp_path, files)


def in_use(app):
    """Title of the way of reading that is in use: keys of the buttons are those of the ways."""
    (pressed,) = [b.key.removeprefix("import way ") for b in app.button if b.label == "In use"]
    return pressed


def test_more_than_8_bits_can_be_read_in_several_ways(home, tmp_path):
    app = drop(open_page("importing"), of_16_bits(tmp_path))
    assert "16-bit with values from 0 to 3,000" in text_of(app).replace("\\", "")
    assert in_use(app) == "usual"
    assert not app.number_input
    shown(app.button(key="import way range").click().run())
    assert in_use(app) == "range"
    low, high = app.number_input
    assert low.value < 50
    assert 2900 < high.value <= 3000
    shown(app.number_input[1].set_value(4000.0).run())
    shown(app.number_input[0].set_value(5000.0).run())  # no range: it is not taken
    assert app.number_input[0].value == low.value
    shown(app.number_input[0].set_value(0.0).run())
    shown(button(app, "Make this task").click().run())
    (job,) = jobs_of(home)
    assert job.spec["reading"]["value_range"] == [0.0, 4000.0]
    assert worker.run(job.folder, HANDLERS) == 0
    assert "0 is black and 4000 white in all images." in reading_in_words(
        reading_from(open_task(home, job.spec["name"]).record.reading)
    )


def test_channels_are_seen_one_by_one_and_chosen(home, tmp_path):
    app = drop(open_page("importing"), of_16_bits(tmp_path, channels=5))
    pictures = [html.value for html in app.html if "channel 5 alone" in html.value]
    assert pictures[0].count("<img") == 5
    shown(app.selectbox(key="widget import Green").set_value(5).run())
    shown(app.button(key="import way extremes").click().run())
    assert [box.value for box in app.selectbox] == [1, 5, 3]  # the channels stay
    shown(app.segmented_control(key="widget import channel kind").set_value("One, as gray").run())
    assert [box.label for box in app.selectbox] == ["Gray"]
    shown(button(app, "Make this task").click().run())
    (job,) = jobs_of(home)
    assert (job.spec["reading"]["channels"], job.spec["reading"]["percentiles"]) == ([1], [0.5, 99.5])


def test_folders_that_are_patients_need_not_be_classes(home, tmp_path):
    files = {
        f"P{p}/IM{i:04d}": made.dicom(10 * p + i, patient=f"P{p}", WindowCenter=2000, WindowWidth=4000)
        for p in range(3)
        for i in range(4)
    }
    app = drop(open_page("importing"), packed(tmp_path, files))
    assert "Each of these folders holds one patient" in app.warning[0].value
    assert "all images of a patient, whom the DICOM files name, stay on one side" in text_of(app)
    assert [b.key for b in app.button if (b.key or "").startswith("import way")] == [
        f"import way {key}" for key in ("usual", "whole", "extremes", "window")
    ]
    shown(app.toggle[0].set_value(False).run())
    assert metrics(app)["Unlabeled"] == "12"
    assert "About 20 % of the images that you label" in text_of(app)
    shown(app.toggle[0].set_value(True).run())
    assert metrics(app)["Labeled"] == "12"


def test_a_folder_of_the_server_is_read_in_place_or_copied(home, tmp_path):
    made.put(tmp_path / "data" / "birds", made.classes_of(4))
    home.path.mkdir(exist_ok=True)
    (home.path / "settings.json").write_text(json.dumps({"import": {"roots": [str(tmp_path / "data")]}}))
    for place, in_place in (("in-place", True), ("copy", False)):
        app = open_page("importing", session={ImportDraft.key(): ImportDraft(way="server")})
        app.selectbox[0].set_value(str(tmp_path / "data" / "birds"))
        shown(app.run())
        shown(button(app, "Read it").click().run())
        assert app.radio[0].value == "in-place"
        shown(app.radio[0].set_value(place).run())
        shown(app.text_input[0].set_value(f"birds {place}").run())
        shown(button(app, "Make this task").click().run())
        (job,) = [job for job in jobs_of(home) if job.spec["title"] == f"birds {place}"]
        assert job.spec["in_place"] is in_place
        assert worker.run(job.folder, HANDLERS) == 0
    for i, changed in enumerate((tmp_path / "data" / "birds").rglob("*.jpg")):
        changed.write_bytes(made.jpg(4321 + i))
    app = open_page("task", task="birds-in-place")
    assert "jpg has changed since it was imported: import the images again" in app.error[0].value.replace("\\", "")
    assert not open_page("task", task="birds-copy").error


def test_groups_on_both_sides_are_told_before_anything_is_made(home, tmp_path):
    rows = [["file", "kind", "patient", "split"]]
    rows += [[f"{i}.jpg", "ab"[i % 2], f"P{i // 4}", "test" if i in (3, 10, 11) else "train"] for i in range(12)]
    files = {f"{i}.jpg": made.jpg(i) for i in range(12)} | {"list.csv": made.table(rows)}
    app = drop(open_page("importing"), packed(tmp_path, files))
    assert "3 images held out for the test by the source itself; 2 of 3 groups" in text_of(app)


def test_a_guess_is_shown_with_its_alternatives_and_can_be_changed(home, tmp_path):
    rows = [["file", "color", "shape"], *([f"{i}.jpg", "ab"[i % 2], "uv"[i // 4]] for i in range(8))]
    archive = packed(tmp_path, {"list.csv": made.table(rows), **{f"{i}.jpg": made.jpg(i) for i in range(8)}})
    app = drop(open_page("importing"), archive)
    assert "**Please check**" in text_of(app)
    (choice,) = app.radio
    assert choice.value == "color"
    assert all(option.endswith("(8 labeled images)") for option in choice.options)
    assert list(app.dataframe[0].value["Class"]) == ["a", "b"]
    shown(choice.set_value("shape").run())
    assert list(app.dataframe[0].value["Class"]) == ["u", "v"]
    assert app.radio[0].value == "shape"  # and may be changed again
    shown(button(app, "Make this task").click().run())
    (job,) = jobs_of(home)
    assert job.spec["columns"]["label"] == "shape"


def test_the_encoding_of_a_table_is_shown_and_can_be_changed(home, tmp_path):
    rows = "\n".join(["file,label", *(f"{i}.jpg,{('ąžuolas', 'eglė')[i % 2]}" for i in range(8))])
    files = {"list.csv": rows.encode("cp1257"), **{f"{i}.jpg": made.jpg(i) for i in range(8)}}
    app = drop(open_page("importing"), packed(tmp_path, files))
    (encoding,) = [box for box in app.selectbox if box.label == "Encoding of the table"]
    assert encoding.value == "cp1257"
    assert set(app.dataframe[0].value["Class"]) == {"ąžuolas", "eglė"}
    assert any(option.startswith("'àþuolas', 'eglë', in cp1252") for option in app.radio[0].options)
    shown(encoding.set_value("cp1252").run())
    assert set(app.dataframe[0].value["Class"]) == {"àþuolas", "eglë"}
    shown(button(app, "Make this task").click().run())
    (job,) = jobs_of(home)
    assert job.spec["answers"] == {"encoding": "cp1252"}


def test_a_file_with_a_view_of_its_own_is_read_through_it_unless_one_chooses():
    for brought, ways in (
        ({}, ["Each image's own range", "Own range without extremes", "One window for all"]),
        ({"table": True}, ["Each file's own window", "Each image's own range"]),
        ({"window": (0.5, 0.2)}, ["Each file's own window", "Each image's own range"]),
    ):
        values = [Values("DICOM", 0.0, 0.6, (0.1, 0.5), **brought)]
        offered = reading._ways(ImportRequest("x", "x"), Reading(), values)
        assert [way.title for way in offered][: len(ways)] == ways
        assert offered[-1].reading.window == brought.get("window", pytest.approx((0.3, 0.4)))
