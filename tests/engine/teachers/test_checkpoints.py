"""A checkpoint as a stranger brings it: wrapped by any program, and run as timm configures its architecture."""

import dataclasses
import io

import msgspec
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_data_config
from torch.testing import assert_close

from engine.errors import InvalidInputError
from engine.images.views import WHOLE, render
from engine.records import record_from
from engine.teachers import TeacherDescription, TeacherRecord, add_checkpoint, get_teacher, load_teacher
from engine.teachers.checkpoint import read_tensors
from engine.teachers.configured import timm_configuration
from engine.teachers.fitting import MismatchError, fit
from engine.workspace import Workspace

NET = "test_resnet"
CLASSES = ("round", "square", "other")
CPU = torch.device("cpu")


def network(architecture=NET, classes=3, **arguments):
    torch.manual_seed(0)
    return timm.create_model(architecture, num_classes=classes, **arguments).eval()


def add(tmp_path, model, architecture=NET, **options):
    path = tmp_path / "own.safetensors"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    about = TeacherDescription(title="Mine", collection="clinic")
    return add_checkpoint(
        Workspace.from_environment(),
        path,
        path.name,
        about,
        **{"architecture": architecture, "classes": CLASSES, **options},
    )


@pytest.mark.parametrize("architecture", [NET, "test_vit", "mobilevit_xxs"])
def test_without_options_a_network_gives_what_timm_s_own_preprocessing_gives(home, tmp_path, architecture):
    model = network(architecture)
    record = add(tmp_path, model, architecture)
    config = resolve_data_config({}, pretrained_cfg=timm.get_pretrained_cfg(architecture).to_dict())
    size = config["input_size"][-1]
    assert (record.input_size, record.mean, record.std) == (size, config["mean"], config["std"])
    assert f"input size {size} px" in record.notes[0]
    pixels = np.random.default_rng(0).integers(256, size=(size, size, 3), dtype=np.uint8)
    # Cropping belongs to the task here, so the image has the size that the network wants.
    wanted = create_transform(**{**config, "crop_pct": 1.0})(Image.fromarray(pixels))[None]
    given = torch.from_numpy(render(Image.fromarray(pixels), np.array(WHOLE, np.float32), size)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        features, logits = load_teacher(home, get_teacher(home, record.name), CPU)(given)
        assert torch.allclose(logits, model(wanted), atol=1e-4)
        assert torch.allclose(features, model.forward_head(model.forward_features(wanted), pre_logits=True), atol=1e-4)


def test_what_is_said_goes_before_what_timm_says(home, tmp_path):
    record = add(tmp_path, network(), size=48, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), pooling="max")
    assert (record.input_size, record.mean, record.std) == (48, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (record.pooling, dict(record.model_args), record.notes) == ("max", {"global_pool": "max"}, ())
    assert "--size 48 --mean=0.1,0.2,0.3 --std=0.4,0.5,0.6 --pooling max" in record.command


@pytest.mark.parametrize(("architecture", "pooling"), [(NET, "max"), ("test_vit", "avg"), ("test_vit", "token")])
def test_pooling_is_part_of_what_is_added(home, tmp_path, architecture, pooling):
    """A transformer that was trained with its class token normalizes before it pools; asked to, it averages after."""
    model = network(architecture)
    record = add(tmp_path, model, architecture, pooling=pooling, size=160)
    assert record.pooling == pooling
    pixels = torch.randint(256, (2, 3, 160, 160), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    loaded = load_teacher(home, record, CPU)
    places = model.forward_features(pixels * loaded.scale - loaded.shift)
    pooled = {"max": lambda p: p.amax((2, 3)), "avg": lambda p: p[:, 1:].mean(1), "token": lambda p: p[:, 0]}
    with torch.inference_mode():
        assert torch.allclose(loaded(pixels)[0], pooled[pooling](places), atol=1e-4)


def test_another_pooling_has_features_of_its_own_and_the_architecture_s_keeps_the_old_name(home, tmp_path):
    record = add(tmp_path, network(), pooling="avg")
    assert (record.pooling, record.model_args) == ("avg", ())
    old = {name: value for name, value in msgspec.to_builtins(record).items() if name not in ("pooling", "notes")}
    read = record_from(old, TeacherRecord, tmp_path / "record.json", "a teacher of version 0.1", "remove it")
    assert read.key == record.key
    assert dataclasses.replace(record, model_args=(("global_pool", "max"),)).key != record.key


@pytest.mark.parametrize("pooling", ["token", "median"])
def test_a_pooling_that_there_is_not_is_refused(home, tmp_path, pooling):
    with pytest.raises(InvalidInputError, match=pooling):
        add(tmp_path, network(), pooling=pooling)


def fitted(tensors, **options):
    return fit(tensors, network(), "own.pt", NET, **options)


def assert_whole(found):
    wanted = network().state_dict()
    assert found.state.keys() == wanted.keys()
    assert all(torch.equal(found.state[name], value) for name, value in wanted.items())


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "module.",
        "_orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "state_dict.model.module.",
        "module.encoder_q.",
        "model.backbone.",
        "visual.trunk.",
        "network.net.student.",
        "a_name_that_nobody_listed.0.",
    ],
)
def test_whatever_a_program_wrote_before_the_names_is_found(prefix):
    tensors = {prefix + name: value for name, value in network().state_dict().items()}
    found = fitted(
        {**tensors, "criterion.weight": torch.ones(3), "queue": torch.ones(4, 2), "mask_token": torch.ones(1)}
    )
    assert_whole(found)
    assert found.notes == ("Left out, as no part of the network: criterion.weight, queue, mask_token.",)


def test_wrappers_inside_of_names_are_taken_off():
    names = {
        f"backbone.{name.replace('layer1.', 'layer1._orig_mod.')}": v for name, v in network().state_dict().items()
    }
    assert any("_orig_mod" in name for name in names)
    assert_whole(fitted(names))


def copies(*prefixes):
    """The network under each prefix, every further one with other values."""
    return {
        f"{prefix}{name}": value + number
        for number, prefix in enumerate(prefixes)
        for name, value in network().state_dict().items()
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("state_dict_ema.module.", "state_dict.module."),
        ("model_ema.", ""),
        ("state_dict.module.encoder_q.", "state_dict.module.encoder_k."),
        ("teacher.backbone.", "student.backbone."),
    ],
)
def test_of_several_networks_the_averaged_one_is_taken_and_said(first, second):
    found = fitted(copies(first, second))
    assert_whole(found)
    [note] = found.notes
    assert first.rstrip(".") in note
    assert ("averaged (EMA)" in note) == ("ema" in first)


def test_another_of_several_networks_is_taken_when_it_is_named():
    tensors = copies("state_dict.", "state_dict_ema.")
    assert_whole(fitted(tensors, prefix="state_dict"))
    with pytest.raises(InvalidInputError, match="No tensor of own"):
        fitted(tensors, prefix="weights.")


def test_averaged_weights_without_counters_are_whole():
    tensors = {f"state_dict.{name}": value + 1 for name, value in network().state_dict().items()}
    averaged = {n: v for n, v in network().state_dict().items() if not n.endswith("num_batches_tracked")}
    found = fitted({**tensors, **{f"state_dict_ema.{name}": value for name, value in averaged.items()}})
    assert_whole(found)


def test_half_precision_may_have_halved_the_counters():
    halved = {name: value.half() for name, value in network().state_dict().items()}
    halved["bn1.num_batches_tracked"] += torch.inf  # of more batches than half precision counts
    found = fitted({name: value.float() for name, value in halved.items()})  # as files are read
    wanted = network().state_dict()
    assert {name: value.dtype for name, value in found.state.items()} == {n: v.dtype for n, v in wanted.items()}
    assert_close(found.state["fc.weight"], wanted["fc.weight"], atol=1e-3, rtol=1e-3)


def test_what_belongs_to_a_larger_network_is_never_left_out():
    deeper = {**network().state_dict(), "layer1.1.conv1.weight": torch.ones(1)}
    with pytest.raises(MismatchError, match=r"layer1\.1\.conv1"):
        fitted(deeper)
    with pytest.raises(MismatchError, match="--ignore"):
        fitted({**network().state_dict(), "neck.weight": torch.ones(1)})
    assert_whole(fitted({**network().state_dict(), "neck.weight": torch.ones(1)}, ignore=["neck"]))


def test_heads_that_are_not_wanted_are_left_out_and_named():
    found = fit(network().state_dict(), network(classes=0), "own.pt", NET, heads=timm_configuration(NET).heads)
    assert found.notes == ("Left out, as no part of the network: fc.* (2 tensors).",)


def test_infinite_numbers_matter_only_where_they_are_used():
    state = network().state_dict()
    assert_whole(fitted({**state, "queue": torch.tensor([torch.inf])}))
    with pytest.raises(InvalidInputError, match="infinite"):
        fitted({**state, "fc.bias": torch.full((3,), torch.nan)})


def test_a_whole_training_state_is_read_but_for_its_optimizer(tmp_path):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model(torch.rand(1, 3, 32, 32)).sum().backward()
    optimizer.step()
    buffer = io.BytesIO()
    saved = {"epoch": 3, "state_dict": model.state_dict(), "optimizer": optimizer.state_dict(), "args": {"lr": 0.1}}
    torch.save(saved, buffer)
    (tmp_path / "last.pth.tar").write_bytes(buffer.getvalue())
    tensors = read_tensors(tmp_path / "last.pth.tar", "last.pth.tar")
    assert {name.partition(".")[0] for name in tensors} == {"state_dict"}
    assert fitted(tensors).notes == ()
