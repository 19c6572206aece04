"""Every export format: what it writes, that it answers as the student does, and what is said where it may not."""

import io
import json
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.util import find_spec

import huggingface_hub
import numpy as np
import onnx
import pytest
import torch
from huggingface_hub.errors import LocalTokenNotFoundError, OfflineModeIsEnabled
from PIL import Image
from safetensors.torch import load_file

from engine.delivery import check_push, export_student, measure_formats, push, run_calibration, student_archive
from engine.delivery.export import CHECK, checked, finished_student
from engine.delivery.format import Answers
from engine.delivery.formats import FORMATS
from engine.delivery.model_card import model_card
from engine.delivery.parity import nearly_as_accurate, same_answers
from engine.errors import DamagedFileError, InvalidInputError, UnavailableError, UnknownNameError
from engine.evaluation import at_temperature, paired_accuracies, share_interval
from engine.images.converting import convert
from engine.images.reading import Reading
from engine.images.views import WHOLE, render, square
from engine.predictions import predictions_from, write_predictions
from engine.results import RESULT
from engine.runs import predictions_path
from engine.student import RECORD, WEIGHTS, read_student
from engine.tasks import NO_LABEL
from engine.tasks.facts import Facts, write_facts
from engine.teachers import bundled_teacher
from engine.wording import percent, points
from engine.workspace import Workspace
from tests.engine.delivery import toy_format
from tests.engine.delivery.made_task import CLASSES, damage_image, make_run, pictures

ALWAYS = {RECORD, RESULT}
HERE = {key: form for key, form in FORMATS.items() if key != "openvino" or find_spec("openvino")}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run; its graph is made once for all tests of this file, as that takes seconds."""
    return make_run(Workspace(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def student(run):
    return finished_student(run)


@pytest.fixture(scope="module")
def exports(run, tmp_path_factory):
    """The folder that each format wrote, by its key; without those whose package is an extra that is not here."""
    folder = tmp_path_factory.mktemp("exports")
    for form in HERE:
        export_student(run, folder / form, form, anyway=True)
    return {form: folder / form for form in HERE}


def softmax_by_timm(run, pixels):
    """What the weights say of pixels `[N, S, S, 3]`, by timm alone."""
    import timm

    model = timm.create_model("test_resnet", num_classes=len(CLASSES)).eval()
    model.load_state_dict(load_file(run / WEIGHTS))
    with torch.inference_mode():
        return model((torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25).softmax(1).numpy()


@pytest.mark.parametrize("form", HERE)
def test_every_format_writes_the_record_the_result_and_files_of_its_own(exports, form):
    assert {path.name for path in exports[form].iterdir()} > ALWAYS
    assert (exports[form] / CHECK).exists() == (FORMATS[form].check is not None)


@pytest.mark.parametrize("form", [key for key, form in HERE.items() if form.load])
@pytest.mark.parametrize("images", [1, 5])
def test_what_was_written_answers_as_the_student_does_whatever_the_number_of_images(run, exports, form, images):
    pixels = np.random.default_rng(1).integers(0, 256, (images, 32, 32, 3), np.uint8)
    found = FORMATS[form].load(exports[form], 1)(pixels)
    assert found.shape == (images, len(CLASSES))
    assert found.dtype == np.float32
    exact = FORMATS[form].check is not nearly_as_accurate
    np.testing.assert_allclose(found, softmax_by_timm(run, pixels), atol=1e-5 if exact else 0.2)


def test_an_archive_holds_the_same_files(run):
    with zipfile.ZipFile(io.BytesIO(student_archive(run))) as archive:
        assert {name.removeprefix(f"{run.name}/") for name in archive.namelist()} == {*ALWAYS, WEIGHTS, "README.md"}


def test_safetensors_hold_the_weights_and_the_readme_says_how_to_load_them(run, exports):
    assert load_file(exports["safetensors"] / WEIGHTS)["fc.bias"].equal(load_file(run / WEIGHTS)["fc.bias"])
    assert 'timm.create_model("test_resnet", num_classes=3)' in (exports["safetensors"] / "README.md").read_text()


def test_a_graph_takes_pixels_of_a_file_and_says_what_its_users_must_know(exports):
    graph = onnx.load(exports["onnx"] / "student.onnx")
    image, probabilities = graph.graph.input[0], graph.graph.output[0]
    assert (image.name, probabilities.name) == ("image", "probabilities")
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_value for d in image.type.tensor_type.shape.dim] == [0, 32, 32, 3]  # 0: any number of images
    about = {entry.key: entry.value for entry in graph.metadata_props}
    assert json.loads(about["classes"]) == list(CLASSES)
    assert (about["resize"], about["interpolation"], about["input_size"]) == ("squash", "bicubic", "32")
    assert json.loads(about["intensity"])["percentiles"] is None
    assert {"task", "task_revision", "method", "seed", "license", "made_by"} <= set(about)
    assert (about["temperature"], about["temperature_images"]) == ("1.0", "0")  # no probabilities were kept
    assert "12 held-out images" in (exports["onnx"] / CHECK).read_text()


def test_a_folder_runs_where_this_program_is_not(run, exports, tmp_path):
    """Wide, high, gray, deep, turned and transparent images, cut and padded as the student's were."""
    images = [*pictures(4), Image.new("RGBA", (9, 30), (200, 30, 0, 90))]
    images += [Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 9), Image.new("L", (31, 20), 77)]
    for i, image in enumerate(images):
        image.save(tmp_path / f"{i}.png")
    names = [f"{i}.png" for i in range(len(images))]
    without = "import runpy, sys; sys.modules.update(engine=None, torch=None, timm=None)"
    program = f"{without}; runpy.run_path({str(exports['folder'] / 'predict.py')!r}, run_name='__main__')"
    command = [sys.executable, "-I", "-c", program, *names]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = [line.split("\t") for line in done.stdout.splitlines()]
    pixels = np.stack([as_the_program_sees(tmp_path / name, "squash") for name in names])
    expected = softmax_by_timm(run, pixels)
    assert [line[:2] for line in said] == [[n, CLASSES[p.argmax()]] for n, p in zip(names, expected, strict=True)]
    np.testing.assert_allclose([float(line[2]) for line in said], expected.max(1), atol=1e-4)
    assert "From image files it gives the same class on 100.0" in (exports["folder"] / CHECK).read_text()


def test_the_temperature_goes_along_and_the_program_of_a_folder_applies_it(tmp_path):
    home = Workspace(tmp_path)
    folder = make_run(home)
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 400)
    logits = random.normal(size=(400, 3)) * 4 + 2 * np.eye(3)[labels]  # far too sure of itself
    own = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    said = predictions_from([f"{i}.png" for i in range(400)], CLASSES, labels, own.astype(np.float32))
    write_predictions(predictions_path(home, folder.name, "test"), said)
    fitted = run_calibration(home, folder.name).temperature
    assert fitted > 1.5

    folders = {form: tmp_path / form for form in ("folder", "safetensors", "timm")}
    for form, out in folders.items():
        export_student(folder, out, form)
        record = json.loads((out / RECORD).read_text())
        assert (record["temperature"], record["temperature_images"]) == (fitted, 400)
        about = " ".join((out / "README.md").read_text().split())
        assert f"at temperature {fitted:.2f}, fitted on 400 held-out images" in about
        assert "Probabilities are the plain softmax." in about
        assert read_student(out).classes == CLASSES
    next(pictures(1, seed=5)).save(tmp_path / "new.png")
    command = [sys.executable, str(folders["folder"] / "predict.py"), str(tmp_path / "new.png")]
    _, name, printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\t")
    plain = softmax_by_timm(folder, as_the_program_sees(tmp_path / "new.png", "squash")[None])
    shown = at_temperature(plain, fitted)[0]
    assert (name, float(printed)) == (CLASSES[shown.argmax()], pytest.approx(shown.max(), abs=1e-4))
    assert plain.max() > shown.max() + 0.01


@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
@pytest.mark.parametrize("size", [(31, 20), (20, 31), (64, 7), (32, 32)])
def test_the_program_of_a_folder_resizes_as_this_program_does(exports, tmp_path, resize, size):
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / "some.png")
    prepared = runpy.run_path(str(exports["folder"] / "predict.py"))["prepared"]
    about = {"input_size": "32", "resize": resize, "intensity": '{"value_range": null, "percentiles": null}'}
    found = prepared(tmp_path / "some.png", about)
    assert np.array_equal(found, as_the_program_sees(tmp_path / "some.png", resize))


def as_the_program_sees(path, resize):
    content = path.read_bytes()
    image = convert(content, path.name, Reading(), 10**6).image
    return render(square(image, resize), np.array(WHOLE, np.float32), 32)


def test_a_student_whose_task_is_gone_is_exported_without_a_check_and_says_so(run, student, exports, tmp_path):
    alone = shutil.copytree(run, tmp_path / "runs" / run.name)
    without = finished_student(alone)
    assert checked(without, FORMATS["onnx"], exports["onnx"]).sentence.startswith(
        "Not checked on images, as there are none: There is no task named 'insects'"
    )
    found = checked(student, FORMATS["onnx"], exports["onnx"])
    assert found.sentence.startswith("Answers as the student does on 12 held-out images: largest difference")
    assert found.accuracy == np.mean(student.on_task.student.argmax(1) == student.on_task.labels)


def test_images_that_cannot_be_read_leave_an_export_unchecked_and_it_says_so(exports, tmp_path):
    home = Workspace(tmp_path)
    folder = make_run(home)
    assert finished_student(folder).on_task is not None  # which keeps the pixels; then the file of an image fails
    damage_image(home, 1)
    said = checked(finished_student(folder), FORMATS["folder"], exports["folder"]).sentence
    assert "Answers as the student does on 12 held-out images" in said
    assert "Not checked from image files, as one of them cannot be read" in said
    shutil.rmtree(home.pixels)
    found = checked(finished_student(folder), FORMATS["onnx"], exports["onnx"])
    assert found.sentence.startswith("Not checked on images, as those of its task cannot be read: ")
    assert found.accuracy is None
    less_precise = FORMATS["onnx-int8"]
    with pytest.raises(InvalidInputError, match=r"cannot be read: .* it was not kept: ask for it with --anyway"):
        checked(finished_student(folder), less_precise, exports["onnx-int8"])
    assert checked(finished_student(folder), less_precise, exports["onnx-int8"], anyway=True) == found


def test_labels_are_those_of_held_out_images_or_it_is_said_that_they_are_not(student):
    rows = student.images.checked_rows(5)
    assert len(rows) == 5
    assert student.images.labels(rows).tolist() == [row % 3 for row in rows]
    assert student.images.noun == "held-out image"
    assert replace(student.images, learned_all=True).noun == "image of its task"
    changed = replace(student.images, same_revision=False)
    assert (set(changed.labels(rows)), changed.noun) == ({NO_LABEL}, "image of its task")


def two(*first):
    """Probabilities of two classes, of which the first is given for each image."""
    return np.array([[p, 1 - p] for p in first], np.float32)


def test_answers_are_the_same_but_for_rounding_of_near_ties():
    labels = np.array([0, 1])
    told = same_answers(Answers(two(0.9, 0.50002), two(0.89999, 0.49999), labels), False)
    assert told.endswith("largest difference of a probability 3.0e-05; 1 near tie fell the other way.")
    with pytest.raises(InvalidInputError, match="answers otherwise than the student on 1 of 2 held-out images"):
        same_answers(Answers(two(0.9, 0.5001), two(0.9, 0.4999), labels), True)


def test_a_less_precise_format_is_refused_where_it_loses_more_than_a_point():
    labels, student = np.zeros(200, int), two(*[0.9] * 200)
    fine = nearly_as_accurate(Answers(student, two(*[0.9] * 198, 0.1, 0.1), labels), False)
    # By hand (Agresti and Min): (0.5 - 2.5) / 202 = -0.99 points, 1.96 * sqrt(3 - 4 / 202) / 202 = 1.67 points
    assert "99.0\u00a0% of 200 held-out images right, the student 100.0\u00a0%" in fine
    assert "difference −1.0 points, 95\u00a0% interval −2.7 to +0.7" in fine
    worse = Answers(student, two(*[0.9] * 197, 0.1, 0.1, 0.1), labels)
    with pytest.raises(InvalidInputError, match="a loss of more than 1 point"):
        nearly_as_accurate(worse, False)
    assert nearly_as_accurate(worse, True).startswith("It has 98.5")
    unknown = replace(worse, labels=np.full(200, NO_LABEL), noun="image of its task")
    with pytest.raises(InvalidInputError, match="of 200 images of its task; its accuracy is not known"):
        nearly_as_accurate(unknown, False)


def test_what_int8_loses_has_an_interval_over_groups_where_there_are_any():
    labels, student, groups = np.zeros(200, int), two(*[0.9] * 200), np.arange(200) // 20
    answers = Answers(student, two(*[0.9] * 198, 0.1, 0.1), labels, groups=groups)
    interval = paired_accuracies([1] * 198 + [0] * 2, [1] * 200, groups).interval
    assert "groups" in interval.method
    assert f"interval {points(interval.low)} to {points(interval.high)}" in nearly_as_accurate(answers, False)


def test_a_card_has_intervals_over_the_groups_of_its_task(tmp_path):
    home = Workspace(tmp_path)
    finished = finished_student(make_run(home))
    task = finished.images.task
    pairs, sides = np.arange(len(task.images)) // 6, np.full(len(task.images), 8, np.int32)
    about = (np.arange(len(sides)), np.arange(len(sides)), np.zeros(len(sides), bool), [[]] * len(sides))
    write_facts(task.folder, task.images.image_ids, Facts(sides, sides, pairs.astype(str), *about))
    result = replace(finished.result, per_class_accuracy=(0.75, 0.5, None))
    grouped = replace(finished, result=result)
    assert "| ant | 75.0\xa0% |  | 4 |" in model_card(grouped)  # nobody knows which images were right
    rows, said = task.test_rows, np.eye(3)[task.labels[task.test_rows]]
    said[[0, 1, 4]] = said[[1, 0, 2]]  # the first ant, and two others, are taken for something else
    ids = [task.images.image_ids[row] for row in rows]
    write_predictions(
        predictions_path(home, result.run, "test"), predictions_from(ids, CLASSES, task.labels[rows], said)
    )
    ants = np.flatnonzero(task.labels[rows] == 0)
    found = share_interval(said[ants].argmax(1) == 0, pairs[rows][ants])
    assert f"| ant | 75.0\xa0% | {percent(found.low)} to {percent(found.high)} | 4 |" in model_card(grouped)


def is_kernel(tensor):
    return len(tensor.dims) == 4 and np.prod(tensor.dims) > 100


def test_int8_is_smaller_calibrated_and_says_what_it_loses(run, exports, tmp_path):
    graph = onnx.load(exports["onnx-int8"] / "student-int8.onnx")
    assert {t.data_type for t in graph.graph.initializer if is_kernel(t)} == {onnx.TensorProto.INT8}
    int8, fp32 = exports["onnx-int8"] / "student-int8.onnx", exports["onnx"] / "student.onnx"
    assert int8.stat().st_size < 0.5 * fp32.stat().st_size
    said = (exports["onnx-int8"] / CHECK).read_text()
    assert re.match(r"It has .* of 12 held-out images right, the student .* 95\xa0% interval .* ms a picture", said)
    assert {e.key: e.value for e in graph.metadata_props}["classes"] == json.dumps(list(CLASSES))
    alone = shutil.copytree(run, tmp_path / "runs" / run.name)
    with pytest.raises(InvalidInputError, match="calibrated on training images, and there are none"):
        export_student(alone, tmp_path / "out", "onnx-int8", anyway=True)


def test_timm_loads_its_folder_and_the_card_says_what_whoever_finds_it_must_know(exports):
    config = json.loads((exports["timm"] / "config.json").read_text())
    assert (config["label_names"], config["pretrained_cfg"]["crop_mode"]) == (list(CLASSES), "squash")
    card = (exports["timm"] / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: timm\n")
    for said in (
        "# Insects & birds",
        "CC BY 4.0",
        "50.0\xa0% of 4 held-out images",
        "95\xa0% interval",
        "| ant | unknown",
    ):
        assert said in card
    assert "No teacher took part" in card
    assert "must not be used for" in card


def test_a_card_names_teachers_with_their_licenses_and_stays_plain_whatever_names_hold(student):
    taught = replace(student.result, active_alpha={"mnist": 0.75, "gone": 0.25}, per_class_accuracy=(1.0, 0.5, None))
    record = replace(student.record, classes=("a|b", "<b>*c*</b>", "d\ne"))
    card = model_card(replace(student, result=taught, record=record))
    assert f"| mnist | 75\xa0% | mnist | {bundled_teacher('mnist').license} |" in card
    assert "| gone | 25\xa0% | not known any more | not known any more |" in card
    assert "| a\\|b | 100.0\xa0% | 51.0\xa0% to 100.0\xa0% | 4 |" in card  # 4 of 4: n / (n + 1.96²)
    assert "| \\<b\\>\\*c\\*\\</b\\> | 50.0" in card
    assert "| d e | unknown |  | 4 |" in card
    assert "teachers' weights" not in card
    begun = model_card(replace(student, result=replace(taught, first_weights={"mnist": 1.0}), record=record))
    assert f"{taught.title} (mnist 100\u00a0%) begins with the average of its teachers' weights." in begun
    finished = replace(student, result=replace(taught, accuracy=None, interval=None), images=None)
    assert "Not tested" in model_card(finished)


class Hub:
    """Stands for the hub's client: remembers what it is asked for, or refuses."""

    def __init__(self, error=None):
        self.error, self.asked = error, []

    def create_repo(self, name, **options):
        self.asked.append((name, options))
        if self.error:
            raise self.error

    def upload_folder(self, **options):
        self.asked.append(options)


@pytest.fixture
def hub(monkeypatch):
    def use(error=None):
        found = Hub(error)
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: found)
        return found

    return use


def test_a_folder_is_put_on_the_hub_in_private(hub, exports):
    found = hub()
    assert push(exports["timm"], "me/insects").endswith("/me/insects")
    assert found.asked[0] == ("me/insects", {"private": True, "exist_ok": True})
    assert (found.asked[1]["repo_id"], found.asked[1]["folder_path"]) == ("me/insects", exports["timm"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LocalTokenNotFoundError("no token"), "knows nobody here, so nothing was put into me/insects: sign in"),
        (OfflineModeIsEnabled("offline"), "cannot be reached, so nothing was put into me/insects: connect"),
        (OSError("no route"), "cannot be reached"),
    ],
)
def test_a_hub_that_cannot_be_reached_or_refuses_is_a_sentence(hub, exports, error, said):
    hub(error)
    with pytest.raises(UnavailableError, match=said):
        push(exports["timm"], "me/insects")


@pytest.mark.parametrize(("form", "name"), [("onnx", "me/insects"), ("timm", "insects"), ("timm", "../x/y")])
def test_what_the_hub_does_not_take_is_refused_before_anything_is_written(form, name):
    with pytest.raises(InvalidInputError, match=r"leave --format out|is no repository of the hub"):
        check_push(form, name)


def test_formats_are_measured_side_by_side_and_what_may_not_be_offered_says_why(run, student, monkeypatch, tmp_path):
    def refuse(answers, anyway):
        raise InvalidInputError("It loses too much.")

    refused = replace(FORMATS["onnx"], key="worse", check=refuse)
    for key in set(FORMATS) - {"safetensors", "onnx"}:
        monkeypatch.delitem(FORMATS, key)
    monkeypatch.setitem(FORMATS, "worse", refused)
    heard = []
    table = measure_formats(run, tmp_path, lambda *told: heard.append(told))
    assert [row.key for row in table.rows] == ["safetensors", "onnx", "worse"]
    assert [told[:2] for told in heard] == [(0, 3), (1, 3), (2, 3)]
    own = float(np.mean(student.on_task.student.argmax(1) == student.on_task.labels))
    for row in table.rows[:2]:
        assert row.accuracy == own
        assert 0 < row.one_thread < 1000
        with zipfile.ZipFile(tmp_path / f"{row.key}.zip") as archive:
            held = [entry for entry in archive.infolist() if not entry.is_dir()]
        assert sum(entry.file_size for entry in held) == row.size
    assert (table.rows[2].problem, table.rows[2].size) == ("It loses too much.", 0)
    assert not (tmp_path / "worse.zip").exists()


def test_a_package_that_is_an_extra_is_named_where_it_is_missing(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UnavailableError, match="pip install openvino"):
        export_student(run, tmp_path / "out", "openvino")
    assert not (tmp_path / "out").exists()


def test_a_format_is_one_file_and_its_line(run, tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, toy_format.FORMAT.key, toy_format.FORMAT)  # its line in formats/__init__.py
    written = export_student(run, tmp_path / "out", "classes").files
    assert {path.name for path in written} == {*ALWAYS, "classes.txt"}
    assert (tmp_path / "out" / "classes.txt").read_text() == "ant\nbee\ncrow"


def test_what_cannot_be_exported_is_a_sentence(run, tmp_path):
    run = shutil.copytree(run, tmp_path / "runs" / "run-2")
    with pytest.raises(UnknownNameError, match="no format named 'onxx'"):
        export_student(run, tmp_path / "out", "onxx")
    (run / WEIGHTS).write_bytes((run / WEIGHTS).read_bytes()[:-1])
    with pytest.raises(DamagedFileError, match="make this run again"):
        export_student(run, tmp_path / "out")
    (run / WEIGHTS).unlink()
    with pytest.raises(InvalidInputError, match="has no student yet"):
        export_student(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
