"""The commands about teachers as a person uses them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import timm
import torch
from safetensors.torch import save_file

from engine.cli import main
from engine.review import open_task
from engine.teachers import added_teachers

NET = "test_resnet"


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "own.safetensors"
    save_file(timm.create_model(NET, num_classes=3).state_dict(), path)
    return path


def test_a_search_prints_the_cheapest_first_and_one_document(home, capsys):
    assert main(["teachers", "search", "mobilenetv4", "small", "--most-parameters", "3"]) == 0
    assert "mobilenetv4_conv_small_050" in capsys.readouterr().out
    assert main(["teachers", "search", "dinov2", "--sizes", "500-520", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["found"]
    assert {entry["size"] for entry in found} == {518}
    assert main(["teachers", "search", "nothing", "like", "this"]) == 0
    assert "use fewer words" in capsys.readouterr().out
    assert main(["teachers", "recommended"]) == 0
    assert "satellite" in capsys.readouterr().out


def test_a_checkpoint_is_added_listed_and_removed(home, weights, tmp_path, capsys):
    names = tmp_path / "names.txt"
    names.write_text("round\nsquare\n другое \n", encoding="utf-8")
    add = ["teachers", "add", str(weights), "--architecture", NET, "--size", "32", "--classes", str(names)]
    assert main([*add, "--collection", "clinic,imagenet", "--title", "Cells"]) == 0
    printed = capsys.readouterr().out
    assert "Added cells: Cells (3 classes; collection clinic, imagenet" in printed
    assert "Closed to it: tasks of clinic and imagenet; of those here none." in printed
    [record] = added_teachers(home)
    assert (record.classes, record.further_collections) == (("round", "square", "другое"), ("imagenet",))
    assert main(["teachers", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["teachers"]}
    assert (listed["cells"]["origin"], listed["mnist"]["origin"]) == ("checkpoint", "bundled")
    assert main(["teachers"]) == 0
    assert "not known" in capsys.readouterr().out
    assert main(["teachers", "remove", "cells"]) == 0
    assert added_teachers(home) == []


def test_a_table_is_added_for_a_task(home, tmp_path, capsys):
    task = open_task(home, "emoji-fluent")
    features = [[float(row), float(row % 7)] for row in range(len(task.images))]
    path = tmp_path / "ours.parquet"
    pq.write_table(pa.table({"image_id": task.images.image_ids, "features": features}), path)
    assert main(["teachers", "add", str(path), "--task", "emoji-fluent", "--collection", "clinic"]) == 0
    printed = capsys.readouterr().out
    assert "no classes" in printed
    assert "Precomputed for 840 images" in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "resnet18.nobody"], "did you mean"),
        (
            ["add", "nothing.safetensors", "--architecture", NET, "--size", "32", "--collection", "x"],
            "There is no file",
        ),
        (["add", "x", "--task", "nothing"], "no task named"),
        (["search", "--sizes", "big"], "FROM-TO"),
        (["remove", "cifar10"], "comes with the program"),
        (["remove", "nobody"], "no added teacher named"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(home, capsys, arguments, said):
    assert main(["teachers", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_file_without_a_word_on_what_it_is_asks_for_one(home, weights, capsys):
    assert main(["teachers", "add", str(weights)]) == 1
    assert "say --architecture" in capsys.readouterr().err
    assert main(["teachers", "add", str(weights), "--architecture", NET]) == 1
    assert "from which collection" in capsys.readouterr().err
    assert main(["teachers", "add", "resnet18.a1_in1k", "--mean", "0,0,0"]) == 1
    assert "about a checkpoint" in capsys.readouterr().err


def test_what_is_closed_to_a_teacher_is_said_however_its_collection_is_spelled(home, weights, capsys):
    add = ["teachers", "add", str(weights), "--architecture", NET, "--classes", "a,b,c", "--size", "32"]
    assert main([*add, "--collection", "Fashion MNIST,clinic"]) == 0
    assert "Closed to it: tasks of Fashion MNIST and clinic; of those here fashion-mnist." in capsys.readouterr().out


def test_a_long_list_of_classes_is_no_name_of_a_file(home, tmp_path, capsys):
    classes = [f"a bird that is called number {number}" for number in range(200)]
    path = tmp_path / "own.safetensors"
    save_file(timm.create_model(NET, num_classes=len(classes)).state_dict(), path)
    add = ["teachers", "add", str(path), "--architecture", NET, "--size", "32", "--collection", "birds"]
    assert main([*add, "--classes", ",".join(classes)]) == 0, capsys.readouterr().err
    assert added_teachers(home)[0].classes == tuple(classes)
    assert main(["teachers", "add", 300 * "x", "--architecture", NET]) == 1
    assert "There is no file" in capsys.readouterr().err
