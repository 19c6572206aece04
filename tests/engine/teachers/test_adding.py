"""Adding a teacher with a network: from a folder in the hub's layout, from a hub's cache, from a checkpoint."""

import io
import json
import os
import shutil
import time

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from engine import jobs
from engine.errors import CancelledError, DamagedFileError, InvalidInputError, UnavailableError, UnknownNameError
from engine.handlers import HANDLERS
from engine.intake import UPLOAD, keep_upload
from engine.intake.first_record import OWN
from engine.jobs import worker
from engine.teachers import (
    TeacherDescription,
    add_checkpoint,
    add_from_hub,
    added_teachers,
    all_teachers,
    damaged_teachers,
    get_teacher,
    imagenet_state,
    load_teacher,
    relation,
    teacher_names,
)
from engine.teachers import hub as hub_files
from engine.teachers.about import name_from
from engine.teachers.catalogue import remove_teacher
from engine.teachers.checkpoint import read_weights
from engine.teachers.fitting import MismatchError, from_event
from engine.teachers.from_checkpoint import DIFF_EVENT, request_checkpoint
from engine.teachers.from_hub import request_hub, weights_here
from engine.teachers.install import OLD_UPLOAD, stage
from engine.teachers.weights import weight_file
from engine.workspace import Workspace

NET = "test_resnet"
TIMM = "test_resnet.r160_in1k"
CPU = torch.device("cpu")
CLASSES = ("round", "square", "other")


def network(classes=1000, architecture=NET):
    torch.manual_seed(0)
    return timm.create_model(architecture, num_classes=classes)


@pytest.fixture
def hub(home, tmp_path, monkeypatch):
    """A folder in the hub's layout with the weights of one of timm's smallest networks."""
    folder = tmp_path / "hub"
    place = folder / "timm" / TIMM
    place.mkdir(parents=True)
    save_file(network().state_dict(), place / "model.safetensors")
    monkeypatch.setenv("WORKBENCH_HUB", str(folder))
    return folder


def own(tmp_path, state=None, name="own.safetensors"):
    path = tmp_path / name
    save_file(network(3).state_dict() if state is None else state, path)
    return path


def add_own(path, **changes):
    about = TeacherDescription(title=changes.pop("title", "My cells"), collection=changes.pop("collection", "clinic"))
    options = {"architecture": NET, "classes": CLASSES, "size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    return add_checkpoint(Workspace.from_environment(), path, path.name, about, **{**options, **changes})


def outputs(teacher, size=32):
    pixels = torch.randint(256, (2, 3, size, size), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    with torch.inference_mode():
        return load_teacher(Workspace.from_environment(), teacher, CPU)(pixels)


def test_timms_weights_are_added_from_a_folder_and_give_what_timm_gives(hub):
    assert weights_here(Workspace.from_environment(), TIMM)
    record = add_from_hub(Workspace.from_environment(), TIMM, TeacherDescription())
    assert (record.origin, record.collection, record.license) == ("timm", "imagenet", "apache-2.0")
    assert (len(record.classes), record.classes[0]) == (1000, "tench, Tinca tinca")
    config = timm.get_pretrained_cfg(TIMM)
    assert (record.mean, record.std) == (tuple(config.mean), tuple(config.std))
    features, logits = outputs(get_teacher(Workspace.from_environment(), record.name), 160)
    pixels = torch.randint(256, (2, 3, 160, 160), generator=torch.Generator().manual_seed(1)).float() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))
    with torch.inference_mode():
        assert torch.allclose(logits, network().eval()((pixels - mean) / std), atol=1e-4)
    assert features.shape == (2, network().num_features)


def test_a_cache_of_the_hub_serves_as_well(home, tmp_path, monkeypatch):
    commit = tmp_path / "hub" / f"models--timm--{TIMM}" / "snapshots" / ("a" * 40)
    commit.mkdir(parents=True)
    save_file(network().state_dict(), commit / "model.safetensors")
    (commit.parents[1] / "refs").mkdir()
    (commit.parents[1] / "refs" / "main").write_text("a" * 40)
    monkeypatch.setenv("WORKBENCH_HUB", str(tmp_path / "hub"))
    with_hub = Workspace.from_environment()
    added = add_from_hub(with_hub, f"timm/{TIMM}", TeacherDescription(title="From the cache", name="cached"))
    assert added.name == "cached"


def test_weights_that_are_not_here_are_asked_for_in_one_sentence(hub):
    assert not weights_here(Workspace.from_environment(), "resnet18.a1_in1k")
    with pytest.raises(UnavailableError, match=rf"copy model\.safetensors of that repository to {hub}/timm/resnet18"):
        add_from_hub(Workspace.from_environment(), "resnet18.a1_in1k", TeacherDescription())
    with pytest.raises(UnavailableError, match=r"copy config\.json and model\.safetensors"):
        add_from_hub(Workspace.from_environment(), "someone/network", TeacherDescription())
    assert added_teachers(Workspace.from_environment()) == []


def test_a_repository_with_a_timm_network_names_its_classes(hub):
    place = hub / "someone" / "network"
    place.mkdir(parents=True)
    torch.save(network(3).state_dict(), place / "pytorch_model.bin")
    config = {"architecture": NET, "num_classes": 3, "label_names": list(CLASSES)}
    config["pretrained_cfg"] = {"input_size": [3, 48, 48], "mean": [0.1] * 3, "std": [0.2] * 3, "license": "mit"}
    (place / "config.json").write_text(json.dumps(config))
    record = add_from_hub(
        Workspace.from_environment(),
        "someone/network",
        TeacherDescription(collection="theirs", further_collections=("imagenet",)),
    )
    assert (record.classes, record.input_size, record.license) == (CLASSES, 48, "mit")
    assert (record.mean, record.std) == ((0.1,) * 3, (0.2,) * 3)
    assert outputs(record, 48)[1].shape == (2, 3)


def test_networks_without_classes_and_of_a_fixed_size_are_added_at_another_size(hub):
    place = hub / "someone" / "vit"
    place.mkdir(parents=True)
    save_file(network(0, "test_vit").state_dict(), place / "model.safetensors")
    config = {"architecture": "test_vit", "num_classes": 0, "pretrained_cfg": {"fixed_input_size": True}}
    (place / "config.json").write_text(json.dumps(config))
    record = add_from_hub(Workspace.from_environment(), "someone/vit", TeacherDescription(collection="theirs"), size=64)
    assert (record.classes, record.has_pseudo_labels, dict(record.model_args)) == ((), False, {"img_size": 64})
    features, logits = outputs(get_teacher(Workspace.from_environment(), record.name), 64)
    assert (features.shape[0], logits.shape) == (2, (2, 0))


def test_a_download_tells_its_progress_and_can_be_stopped(monkeypatch, tmp_path, home):
    told = []

    def client(repository, file, tqdm_class):
        """What the hub's client does with the bar that it is given."""
        with tqdm_class(total=30, initial=0, desc=file, unit="B", unit_scale=True) as bar:
            for _ in range(3):
                bar.update(10)
        return str(tmp_path / "file")

    monkeypatch.setattr(hub_files, "hf_hub_download", client)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub_files.hub_file(home, "timm/x", "model.safetensors", lambda *progress: told.append(progress))
    assert told[0] == (0, None, "bytes", "Asking the hub for model.safetensors")
    assert [step[:3] for step in told[1:]] == [(10, 30, "bytes"), (20, 30, "bytes"), (30, 30, "bytes")]

    def stop(done, total, unit, stage):
        if done:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        hub_files.hub_file(home, "timm/x", "model.safetensors", stop)


def test_a_checkpoint_is_added_and_survives(home, tmp_path):
    record = add_own(own(tmp_path))
    assert (record.name, record.origin, record.collection, record.classes) == (
        "my-cells",
        "checkpoint",
        "clinic",
        CLASSES,
    )
    assert record.parameters == sum(p.numel() for p in network(3).parameters())
    assert get_teacher(home, "my-cells") == record
    assert record in all_teachers(home)
    assert "my-cells" in teacher_names(home)
    expected = network(3).eval()
    pixels = torch.randint(256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(1)).float() / 127.5 - 1
    with torch.inference_mode():
        assert torch.allclose(outputs(record)[1], expected(pixels), atol=1e-5)
    assert sorted(path.name for path in (home.teachers / "my-cells").iterdir()) == [
        "record.json",
        "weights.safetensors",
    ]


@pytest.mark.parametrize("wrapper", [lambda s: {"model": s}, lambda s: {"epoch": 1, "state_dict": s}])
def test_what_training_programs_wrap_around_weights_is_taken_off(tmp_path, wrapper):
    state = {f"module.{name}": value for name, value in network(3).state_dict().items()}
    torch.save(wrapper(state), tmp_path / "own.pth")
    found = read_weights(tmp_path / "own.pth", "own.pth")
    assert found.keys() == network(3).state_dict().keys()


def test_a_checkpoint_without_class_names_serves_with_its_features(home, tmp_path):
    record = add_own(own(tmp_path), classes=())
    assert not record.has_pseudo_labels
    assert outputs(record)[1].shape == (2, 0)


def test_heads_that_are_more_than_linear_give_the_classes_of_the_whole_network(home, tmp_path):
    torch.manual_seed(0)
    whole = timm.create_model("levit_128s", num_classes=3).eval()  # two heads, each behind its own normalization
    record = add_own(own(tmp_path, whole.state_dict()), architecture="levit_128s", size=224)
    pixels = torch.randint(256, (2, 3, 224, 224), generator=torch.Generator().manual_seed(1)).float() / 127.5 - 1
    with torch.inference_mode():
        assert torch.allclose(outputs(record, 224)[1], whole(pixels), atol=1e-4)


def test_names_and_shapes_that_do_not_fit_are_told_one_by_one(home, tmp_path):
    state = dict(network(4).state_dict())
    state["extra.weight"] = state.pop("conv1.weight") if "conv1.weight" in state else state.pop(next(iter(state)))
    with pytest.raises(MismatchError) as caught:
        add_own(own(tmp_path, state))
    found = caught.value.diff
    assert (len(found.missing), found.unexpected) == (1, ("extra.weight",))
    head = [name for name, _, _ in found.wrong_shape]
    assert head == [name for name in network(3).state_dict() if name.startswith("fc.")]
    assert found.matching == len(network(3).state_dict()) - 1 - len(head)
    assert "1 missing" in str(caught.value)
    assert "instead of 3 ×" in str(caught.value)
    problems = [row["problem"] for row in found.rows()]
    assert list(dict.fromkeys(problems)) == ["another shape", "only in the file", "only in the architecture"]
    assert added_teachers(home) == []


def test_no_name_or_title_is_taken_twice(home, tmp_path):
    path = own(tmp_path)
    add_own(path)
    with pytest.raises(InvalidInputError, match="a teacher named 'my-cells' already"):
        add_own(path)
    with pytest.raises(InvalidInputError, match="a teacher titled 'Clothes' already"):
        add_own(path, title="Clothes")


def test_a_title_in_any_script_gets_a_plain_name():
    assert name_from("Vögel & Blätter, 2024") == "vogel-blatter-2024"
    assert name_from("血液细胞").startswith("teacher-")
    assert name_from("血液细胞") != name_from("血液细胞 2")
    assert name_from("train").startswith("teacher-")  # a head of the student cannot be called that


def test_a_teacher_that_saw_a_task_s_collection_may_not_teach_it(home, tmp_path):
    path = own(tmp_path)
    assert relation(add_own(path, collection="emoji"), "emoji", ("emoji-a",)) == "same"
    about = TeacherDescription(title="Two", collection="clinic", further_collections=("emoji",))
    options = {"architecture": NET, "classes": CLASSES, "size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    record = add_checkpoint(home, path, "own", about, **options)
    assert relation(record, "emoji", ("emoji-a",)) == "same"
    assert relation(record, "quickdraw", ()) == "other"


@pytest.mark.parametrize(
    ("told", "collection"),
    [
        ("leaves", f"{OWN}:leaves"),
        ("Leaves 2024", f"{OWN}:leaves-2024"),
        (f"{OWN}:leaves", f"{OWN}:leaves"),
        ("CIFAR10", "cifar-10"),
        ("fashion_mnist", "fashion-mnist"),
        ("tiny\u2010imagenet", "Tiny ImageNet"),
    ],
)
def test_a_collection_is_the_same_however_it_is_spelled(home, tmp_path, told, collection):
    assert relation(add_own(own(tmp_path), collection=told), collection, ()) == "same"
    other = add_own(own(tmp_path), title="Another", collection=f"{told}s")
    assert relation(other, collection, ()) == "other"


def test_an_added_network_never_becomes_a_student_s_imagenet_start(home, tmp_path):
    before = imagenet_state(home, "tf_efficientnet_lite0")
    path = own(tmp_path, network(3, "tf_efficientnet_lite0").state_dict())
    add_own(path, architecture="tf_efficientnet_lite0", collection="imagenet")
    after = imagenet_state(home, "tf_efficientnet_lite0")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_removing_takes_everything_and_spares_the_program_s_own(home, tmp_path):
    record = add_own(own(tmp_path))
    cached = home.features / "emoji-fluent" / f"{record.name}-{record.key}-pad" / "view-0"
    cached.mkdir(parents=True)
    remove_teacher(home, record.name)
    assert added_teachers(home) == []
    assert list((home.teachers).iterdir()) == []
    assert not cached.parent.exists()
    with pytest.raises(UnknownNameError):
        remove_teacher(home, record.name)
    with pytest.raises(InvalidInputError, match="comes with the program"):
        remove_teacher(home, "cifar10")


def test_what_a_killed_adding_left_is_no_teacher_and_goes_after_a_day(home, tmp_path):
    left = home.teachers / ".tmp-0123456789ab-half"
    left.mkdir(parents=True)
    (left / "record.json").write_text("{}")
    assert (added_teachers(home), damaged_teachers(home)) == ([], {})
    add_own(own(tmp_path))
    assert left.exists()  # it might be somebody else's, at work just now
    os.utime(left, (0, 0))
    add_own(own(tmp_path), title="Another")
    assert not left.exists()


def test_a_damaged_record_hides_its_teacher_alone(home, tmp_path):
    record = add_own(own(tmp_path))
    path = home.teachers / record.name / "record.json"
    path.write_text("{")
    assert record.name not in teacher_names(home)
    assert f"is damaged, and with it the teacher {record.name!r}" in damaged_teachers(home)[record.name]
    remove_teacher(home, record.name)
    assert damaged_teachers(home) == {}


def test_weights_that_were_changed_afterwards_are_refused(home, tmp_path):
    record = add_own(own(tmp_path))
    path = home.teachers / record.name / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="remove this teacher, and add it again"):
        weight_file(home, record)


def test_a_job_adds_from_the_hub_and_one_that_fails_says_why(hub, home):
    job = request_hub(home, TIMM, TeacherDescription(title="By a job"), None)
    assert worker.run(job.folder, HANDLERS) == worker.DONE, jobs.status(job).message
    assert get_teacher(home, "by-a-job").origin == "timm"
    shutil.rmtree(hub)
    failed = request_hub(home, TIMM, TeacherDescription(title="Again"), None)
    assert worker.run(failed.folder, HANDLERS) == worker.FAILED
    assert "could not be downloaded" in jobs.status(failed).message


def test_a_job_takes_an_upload_and_leaves_none(home, tmp_path):
    wanted = {"architecture": NET, "classes": list(CLASSES), "size": 32, "mean": ["0.5"] * 3, "std": [0.5] * 3}
    about = TeacherDescription(title="Uploaded", collection="clinic")
    upload = stage(home, io.BytesIO(own(tmp_path).read_bytes()))
    job = request_checkpoint(home, upload, "own.pt", about, wanted)
    assert worker.run(job.folder, HANDLERS) == worker.DONE, jobs.status(job).message
    assert get_teacher(home, "uploaded").source == "own.pt"

    upload = stage(home, io.BytesIO(own(tmp_path).read_bytes()))
    wrong = {**wanted, "classes": ["a", "b"]}
    job = request_checkpoint(home, upload, "own.pt", TeacherDescription(title="Wrong", collection="clinic"), wrong)
    assert worker.run(job.folder, HANDLERS) == worker.FAILED
    assert "does not fit" in jobs.status(job).message
    event = next(event for event in jobs.read_events(job).events if event["kind"] == DIFF_EVENT)
    assert [name for name, _, _ in from_event(event).wrong_shape] == ["fc.weight", "fc.bias"]
    assert list((home.uploads).iterdir()) == []


def test_a_job_works_in_its_own_workspace_whatever_the_environment_names(home, tmp_path):
    other = Workspace(tmp_path / "other")
    wanted = {"architecture": NET, "classes": list(CLASSES), "size": 32, "mean": ["0.5"] * 3, "std": [0.5] * 3}
    upload = stage(other, io.BytesIO(own(tmp_path).read_bytes()))
    about = TeacherDescription(title="Elsewhere", collection="clinic")
    job = request_checkpoint(other, upload, "own.pt", about, wanted)
    assert worker.run(job.folder, HANDLERS) == worker.DONE, jobs.status(job).message
    assert [record.name for record in added_teachers(other)] == ["elsewhere"]
    assert added_teachers(home) == []
    assert not home.path.exists()


def test_a_staged_upload_removes_old_ones_of_its_kind_alone(home):
    forgotten = home.uploads / stage(home, io.BytesIO(b"weights"))
    imported = home.uploads / keep_upload(home, [("leaves.zip", io.BytesIO(b"PK"))]).removeprefix(UPLOAD).split(" ")[0]
    for path in (forgotten, imported):
        os.utime(path, (time.time() - OLD_UPLOAD - 60,) * 2)
    kept = home.uploads / stage(home, io.BytesIO(b"weights"))
    assert sorted(home.uploads.iterdir()) == sorted([imported, kept])
