import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import jobs, runs, verbs
from engine.cli.program import main
from engine.errors import InvalidInputError, UnavailableError, UnknownNameError
from engine.files import canonical_hash
from engine.methods import LATER, METHODS, get_method, preselected
from engine.results import results_in
from engine.review import open_task
from engine.runs import plan, recorded_comparison, start
from engine.runs.comparison import common_ground, method_means, read_run
from engine.runs.spec import as_json, run_spec_from, spec_of
from engine.tasks import Task
from engine.tasks.task import write_task


def test_a_plan_has_a_run_for_each_seed_and_method(emoji, small):
    specs = plan(emoji.workspace, emoji, ["fine-tune", "fixmatch", "distill-weighted"], [0, 1], **small)
    assert [(s.seed, s.method) for s in specs[:3]] == [(0, "fine-tune"), (0, "fixmatch"), (0, "distill-weighted")]
    assert len({s.run_id for s in specs}) == 6
    shared, differs = common_ground(specs)
    assert differs == ()
    assert shared["seeds"] == [0, 1]
    assert shared["images"] == 640


def test_a_task_without_held_out_images_starts_no_run(emoji, small):
    untested = Task(emoji.workspace, emoji.record)
    untested.__dict__["splits"] = np.full(len(emoji.images), "train")
    with pytest.raises(InvalidInputError, match="no held-out image with a label, so no student of it can be tested"):
        plan(emoji.workspace, untested, ["fine-tune"], [0], **small)


def test_all_labels_are_a_number_in_the_spec_and_said_of_the_comparison(home, small):
    task, chosen = open_task(home, "emoji-fluent"), small | {"labels_per_class": "all"}
    most = int(task.available_labels().max())
    specs = plan(home, task, ["fine-tune"], [0], **chosen)
    assert specs == plan(home, task, ["fine-tune"], [0], **chosen | {"labels_per_class": most})
    assert start(home, specs).shared["all_labels"] == task.available_labels().sum()
    some = plan(home, task, ["fine-tune"], [0], **chosen | {"labels_per_class": most - 1})
    assert "all_labels" not in start(home, some).shared
    assert {spec.labels_per_class for spec in plan(home, task, ["fine-tune"], [0], device="cpu")} == {5}


def test_every_spec_survives_json(emoji, small):
    for spec in plan(emoji.workspace, emoji, list(METHODS), [0], **small):
        again = run_spec_from(json.loads(json.dumps(as_json(spec))))
        assert again == spec
        assert again.run_id == spec.run_id


def test_methods_are_the_weights_at_their_exponent():
    assert get_method("distill-nearest").p == math.inf
    assert get_method("distill-equal").p == 0
    assert get_method("distill-weighted").p == 12
    assert get_method("distill-weighted(4)").p == 4
    assert get_method("distill-weighted(12)") == get_method("distill-weighted")


def test_a_variant_changes_fields_of_the_spec_for_an_ablation(emoji, small):
    variant = get_method("distill-consensus(sharpness=1, p=3,neighbors=0)")
    assert (variant.p, dict(variant.changed)) == (3, {"neighbors": 0, "sharpness": 1})
    assert get_method(variant.key) == variant
    [spec] = plan(emoji.workspace, emoji, [variant.key], [0], **small)
    assert (spec.p, spec.settings.neighbors, spec.settings.sharpness, spec.settings.propagation) == (3, 0, 1, 0.8)
    assert get_method("distill-consensus").changed == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fine-tune(images=99)", "the same for all methods"),
        ("distill-consensus(magic=1)", "no field magic"),
        ("distill-consensus(neighbors=-1)", "neighbors is -1"),
        ("distill-consensus(p=-1)", "p is -1"),
        ("distill-consensus(p=true)", "p is True"),
        ("distill-consensus(propagation=much)", "propagation is 'much'"),
        ("fine-tune(p=3)", "fine-tune has no p"),
        ("distill-random(p=3)", "distill-random has no p"),
        ("distill-nearest(p=1)", "distill-nearest has no p"),
    ],
)
def test_a_wrong_variant_names_what_is_wrong(name, said):
    with pytest.raises(InvalidInputError, match=said):
        get_method(name)


def test_a_method_has_one_name():
    assert get_method("distill-weighted(p=4)") == get_method("distill-weighted(4)")
    assert get_method("distill-weighted(p=12)") == get_method("distill-weighted")
    assert get_method("distill-consensus(p=6)") == get_method("distill-consensus")
    assert get_method("distill-weighted(p=4,temperature=2)").p == 4
    for name in ("distill-weighted(1.23456789)", "distill-weighted(1e-07)", "distill-weighted(p=4,temperature=2)"):
        assert get_method(get_method(name).key) == get_method(name)


@pytest.mark.parametrize("name", ["distill-weighted(x)", "distill-weighted(-1)", "magic", ""])
def test_an_unknown_method_names_the_known_ones(name):
    with pytest.raises(UnknownNameError, match="method"):
        get_method(name)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"teachers": ["nobody"]}, UnknownNameError, "teacher"),
        ({"metric": "nothing"}, UnknownNameError, "metric"),
        ({"labels_per_class": 0}, InvalidInputError, "1 or more"),
        ({"device": "tpu"}, InvalidInputError, "no device"),
        ({"architecture": "deit_tiny_distilled_patch16_224"}, InvalidInputError, "no linear head"),
        ({"device": "mps"}, UnavailableError, "no mps device"),
        ({"images": 5}, InvalidInputError, "less than one step"),
        ({"alpha": {"nobody": 1.0}}, InvalidInputError, "may not teach"),
        ({"alpha": {"cifar10": -1.0}}, InvalidInputError, "from 0 up"),
        ({"alpha": {"cifar10": math.nan}}, InvalidInputError, "every value must be finite"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is(emoji, small, changes, error, said):
    with pytest.raises(error, match=said):
        plan(emoji.workspace, emoji, ["distill-weighted"], [0], **{**small, **changes})


def test_a_negative_seed_is_refused(emoji, small):
    with pytest.raises(InvalidInputError, match="-1 is no seed"):
        plan(emoji.workspace, emoji, ["fine-tune"], [-1], **small)


def test_what_runs_do_not_share_is_named(emoji, small):
    specs = plan(emoji.workspace, emoji, ["fine-tune"], [0], **small) + plan(
        emoji.workspace, emoji, ["fixmatch"], [1], **{**small, "images": 1280}
    )
    shared, differs = common_ground(specs)
    assert set(differs) == {"images", "seeds"}
    assert shared["student"] == "mobilenetv3_small_050"


def test_weights_set_by_hand_sum_to_1(emoji, small):
    [spec] = plan(emoji.workspace, emoji, ["distill-weighted"], [0], **small, alpha={"cifar10": 3.0, "mnist": 1.0})
    assert spec.alpha == {"cifar10": 0.75, "mnist": 0.25}
    assert spec.p is None
    [huge] = plan(
        emoji.workspace,
        emoji,
        ["distill-weighted"],
        [0],
        **small,
        alpha={"cifar10": 1.5e308, "mnist": 1.5e308},
    )
    assert huge.alpha == {"cifar10": 0.5, "mnist": 0.5}


def test_accuracy_at_equal_seconds_is_read_off_the_curves():
    any_result = results_in(recorded_comparison("emoji-fluent"), Path("recorded"))[0]

    def result(method, seed, points):
        curve = [{"seconds": seconds, "accuracy": accuracy} for seconds, accuracy in points]
        last = {"seconds": points[-1][0], "accuracy": points[-1][1], "images": 10, "test_images": 100}
        return replace(any_result, method=method, seed=seed, curve=curve, **last)

    quick = [result("fine-tune", 0, [(5, 0.2), (10, 0.4)]), result("fine-tune", 1, [(5, 0.3), (20, 0.5)])]
    slow = [result("fixmatch", 0, [(8, 0.1), (16, 0.5)]), result("fixmatch", 1, [(20, 0.3), (30, 0.9)])]
    fine_tune, fixmatch = method_means(quick + slow)
    assert fine_tune.at_equal_seconds == pytest.approx(0.45)  # its ends
    assert fixmatch.at_equal_seconds == pytest.approx((0.2 + 0.3) / 2)  # a quarter of the way up; its first point
    late = result("fixmatch", 0, [(11, 0.1), (16, 0.5)])
    assert method_means([quick[0], late])[1].at_equal_seconds is None


@pytest.mark.parametrize(("options", "size"), [(["--size", "64"], 64), ([], 96)])
def test_the_command_line_trains_at_the_size_that_is_asked_for_or_the_tasks_own(home, monkeypatch, options, size):
    task = open_task(home, "emoji-fluent")
    write_task(task.folder, replace(task.record, student_size=96))
    started = []

    def start(home, specs, device, engine):
        started.extend(specs)
        raise InvalidInputError("Nothing is to be trained here.")

    monkeypatch.setattr(verbs, "start", start)
    assert main(["compare", "--task", "emoji-fluent", *options]) == 1
    assert {spec.train.size for spec in started} == {size}
    assert [spec.method for spec in started] == preselected()


FLAT = {  # `train` as version 0.1 wrote it
    **{"labeled_batch": 32, "unlabeled_batch": 48, "architecture": "tf_efficientnet_lite0", "start": "imagenet"},
    **{"size": 64, "images": 16_000, "learning_rate": 0.02, "head_factor": 5.0, "warm_up": 0.1, "momentum": 0.9},
    **{"weight_decay": 5e-4, "labeled_share": 0.2, "temperature": 1.0, "views": 1, "sharpness": 2.0, "neighbors": 10},
    **{"spread": 0.8, "teachers_share": 0.0, "strong": False, "batch_norm": "joint", "fixmatch_threshold": 0.95},
    **{"fixmatch_weight": 1.0, "evaluations": 10, "precision": "fp32"},
}


@pytest.mark.parametrize(
    ("method", "objective", "own", "changes"),
    [
        ("fine-tune", "fine-tune", {"unlabeled_batch": 0, "head_factor": 1.0}, {}),
        ("linear-probe", "linear-probe", {"unlabeled_batch": 0, "learning_rate": 0.1, "head_factor": 1.0}, {}),
        ("fixmatch", "fixmatch", {"fixmatch_weight": 2.0}, {"fixmatch_weight": 2.0}),
        ("distill-nearest", "distill", {"labeled_share": 1.0}, {"labeled_share": 1.0}),
        ("distill-weighted(4)", "distill", {"views": 4}, {"views": 4}),
        ("distill-consensus", "consensus", {"spread": 0.6}, {"propagation": 0.6}),
        ("distill-consensus(spread=0.6)", "consensus", {"spread": 0.6}, {"propagation": 0.6}),
    ],
)
def test_a_flat_spec_of_version_01_is_the_same_run_today(emoji, small, method, objective, own, changes):
    [spec] = plan(emoji.workspace, emoji, ["fine-tune"], [0], **small)
    flat = {**as_json(spec), "method": method, "train": {**FLAT, **own, "objective": objective}}
    del flat["settings"]
    found = run_spec_from(flat)
    today = get_method(method).recipe({**LATER, **changes})
    assert (found.train, found.settings) == (today.train, today.settings)
    with pytest.raises(InvalidInputError, match="lacks or does not know colour"):
        run_spec_from({**flat, "train": {**flat["train"], "colour": 1}})


def test_settings_that_came_later_leave_runs_their_names(emoji, small):
    [spec] = plan(emoji.workspace, emoji, ["distill-consensus"], [0], **LATER, **small)
    before = as_json(spec)
    assert not LATER.keys() & before["settings"].keys()
    assert run_spec_from(before) == spec
    [other] = plan(emoji.workspace, emoji, ["distill-consensus"], [0], **small)
    assert other.settings.from_teachers
    assert as_json(other)["settings"]["from_teachers"]
    assert run_spec_from(as_json(other)) == other
    assert other.run_id != spec.run_id


def test_a_flat_run_keeps_its_name_and_its_spec_when_it_is_made_again(home, emoji, small):
    [spec] = plan(home, emoji, ["distill-equal"], [0], **small)
    flat = {**as_json(spec), "train": {**FLAT, "objective": "distill"}}
    del flat["settings"]
    name = f"emoji-fluent-distill-equal-s0-{canonical_hash(flat, 10)}"
    job = jobs.create(home.runs, name, kind="run", spec=flat, device="cpu", lane="cpu")
    assert spec_of(job) == run_spec_from(flat)
    jobs.request_cancel(job)
    again = runs.run_again(home, read_run(home, name))
    assert (again.id, again.spec) == (name, flat)
    assert isinstance(read_run(home, name), runs.Entry)
