"""Training on small made-up images whose class is where the bright bar stands."""

from dataclasses import replace

import pytest
import torch

from engine.errors import InvalidInputError, UnavailableError, UnknownNameError
from engine.training import (
    OBJECTIVES,
    WITH_TEACHERS,
    EvaluationData,
    Hooks,
    TeacherSignal,
    TrainData,
    UnfitCheckpointError,
    build_student,
    predict,
    recipe,
    spec_from,
    train,
)
from engine.training.loop import ema_decay, evaluation_steps, learning_rate
from engine.training.speed import images_per_second

CLASSES, N, S = 4, 96, 32
TINY = {"architecture": "mobilenetv3_small_050", "start": "random", "size": S, "images": 320, "evaluations": 2}


def made_up(signals=None, **changes):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % CLASSES
    images = (torch.rand(N, 3, S, S, generator=generator) * 80).to(torch.uint8)
    for i, label in enumerate(labels.tolist()):
        images[i, :, :, label * 8 : label * 8 + 8] += 150
    labeled = torch.arange(16)
    if signals is None:
        noise = torch.rand(1, N, 7, generator=generator).softmax(2).half()
        truth = torch.nn.functional.one_hot(labels, CLASSES)[None].half()
        signals = {"noise": TeacherSignal(0.25, noise), "truth": TeacherSignal(0.75, truth)}
    consensus = torch.nn.functional.one_hot(labels, CLASSES).half()
    return replace(TrainData(images, labeled, labels[labeled], CLASSES, False, signals, consensus), **changes)


def weights(trained):
    return trained.network.state_dict()


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_same_seed_gives_the_same_weights_and_another_does_not(objective):
    spec = recipe(objective, **TINY)
    first, again, other = (weights(train(spec, made_up(), seed)) for seed in (0, 0, 1))
    assert equal(first, again)
    assert not equal(first, other)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_run_resumed_from_any_checkpoint_ends_with_the_same_weights(objective):
    """And with the same curve of losses, whether it was stopped between two of its points or at one."""
    spec, checkpoints, told, again = recipe(objective, **TINY), [], [], []
    hooks = Hooks(lambda *_: None, lambda point, network: told.append(point), checkpoints.append, checkpoint_seconds=0)
    whole = train(spec, made_up(), 0, hooks=hooks)
    assert len(checkpoints) == spec.steps
    for checkpoint in (checkpoints[0], checkpoints[spec.steps // 2 - 1]):
        again.clear()
        listening = Hooks(on_evaluation=lambda point, network: again.append(point))
        assert equal(weights(train(spec, made_up(), 0, hooks=listening, resume=checkpoint)), weights(whole))
        missed = [p for p in told if p.step > checkpoint.step]
        assert [(p.step, p.losses) for p in again] == [(p.step, p.losses) for p in missed]


@pytest.mark.parametrize("change", ["another name", "another part", "another shape", "less", "another step"])
def test_a_checkpoint_of_another_student_is_refused(change):
    spec, checkpoints = recipe("fine-tune", **TINY), []
    train(spec, made_up(), 0, hooks=Hooks(on_checkpoint=checkpoints.append, checkpoint_seconds=0))
    saved = checkpoints[0]
    tensors = dict(saved.tensors)
    name = next(key for key in tensors if key.startswith("momentum.") and tensors[key].ndim > 1)
    value = tensors.pop(name)
    if change == "less":
        tensors.pop(next(key for key in tensors if key.startswith("averaged.")))
    elif change == "another step":
        saved = replace(saved, step=spec.steps + 1)
    else:
        name = {"another name": "momentum.none", "another part": "optimum.x"}.get(change, name)
        tensors[name] = value[:1] if change == "another shape" else value
    with pytest.raises(UnfitCheckpointError):
        train(spec, made_up(), 0, resume=replace(saved, tensors=tensors))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_budget_is_counted_in_student_images_with_gradient(objective):
    spec = recipe(objective, **TINY)
    trained = train(spec, made_up(), 0)
    assert trained.images == trained.steps * spec.images_per_step
    assert spec.images - spec.images_per_step < trained.images <= spec.images


def test_the_labels_alone_count_when_lambda_is_one():
    tiny = {**TINY, "images": 640}
    fine_tuned = train(recipe("fine-tune", **tiny), made_up(), 0)
    for objective in WITH_TEACHERS:
        distilled = train(recipe(objective, labeled_share=1.0, **tiny), made_up(), 0)
        assert equal(weights(fine_tuned), weights(distilled))
        assert fine_tuned.images == distilled.images


def test_a_consensus_that_gives_all_to_the_teachers_heads_is_the_papers_loss():
    """With a teachers' share of 1 the consensus has no weight, so what is left is λ·labels + (1 − λ)·teachers."""
    paper = weights(train(recipe("distill", **TINY), made_up(), 0))
    joined = weights(train(recipe("consensus", teachers_share=1.0, **TINY), made_up(), 0))
    difference = max((paper[k].float() - joined[k].float()).abs().max().item() for k in paper)
    assert difference < 1e-4  # the order of the sums


def test_the_consensus_teaches_what_no_label_says():
    """Class 3 has no labeled image; only the consensus tells the student of it."""
    data = made_up()
    known = data.labels != 3
    data = replace(data, labeled=data.labeled[known], labels=data.labels[known])
    spec = recipe("consensus", **{**TINY, "images": 4000, "learning_rate": 0.03})
    truth = torch.arange(N) % CLASSES
    answers = predict(train(spec, data, 0).network, data.images).argmax(1)
    assert (answers[truth == 3] == 3).float().mean() > 0.8


def test_one_hot_weights_are_that_teacher_alone():
    data = made_up()
    alone = {"truth": TeacherSignal(1.0, data.signals["truth"].pseudo_labels)}
    with_silent = {**alone, "noise": TeacherSignal(0.0, data.signals["noise"].pseudo_labels)}
    spec = recipe("distill", **TINY)
    first, second = (weights(train(spec, made_up(signals), 0)) for signals in (alone, with_silent))
    difference = max((first[k].float() - second[k].float()).abs().max().item() for k in first)
    assert difference < 1e-6  # the runs drop silent heads altogether; here the head is there, and changes nothing


def test_no_extra_head_ships():
    trained = train(recipe("distill", **TINY), made_up(), 0)
    assert not [name for name in weights(trained) if "heads" in name]
    assert trained.network.classifier.out_features == CLASSES
    expected = build_student(recipe("fine-tune", **TINY), CLASSES, {}, 0).network.state_dict()
    assert weights(trained).keys() == expected.keys()


def test_a_head_starts_alike_whichever_others_there_are():
    spec = recipe("distill", **TINY)
    one = build_student(spec, CLASSES, {"a": 5}, 0)
    two = build_student(spec, CLASSES, {"a": 5, "b": 3}, 0)
    assert torch.equal(one.heads["a"].weight, two.heads["a"].weight)
    assert torch.equal(one.network.classifier.weight, two.network.classifier.weight)


def test_the_pseudo_labels_are_never_changed():
    data = made_up()
    before = {name: signal.pseudo_labels.clone() for name, signal in data.signals.items()}
    train(recipe("distill", temperature=0.5, **TINY), data, 0)
    assert all(torch.equal(before[name], signal.pseudo_labels) for name, signal in data.signals.items())


def test_a_linear_probe_leaves_the_body_as_it_was():
    spec = recipe("linear-probe", **TINY)
    start = build_student(spec, CLASSES, {}, 0).network
    trained = train(spec, made_up(), 0).network
    head = {id(p) for p in trained.classifier.parameters()}
    body = [name for name, p in trained.named_parameters() if id(p) not in head]
    assert all(torch.equal(start.state_dict()[n], trained.state_dict()[n]) for n in body)
    assert torch.equal(start.model.bn1.running_mean, trained.model.bn1.running_mean)
    assert not torch.equal(start.classifier.weight, trained.classifier.weight)


def test_frozen_batch_norm_keeps_its_statistics():
    spec = recipe("fine-tune", batch_norm="frozen", **TINY)
    start = build_student(spec, CLASSES, {}, 0).network
    trained = train(spec, made_up(), 0).network
    assert torch.equal(start.model.bn1.running_mean, trained.model.bn1.running_mean)


def test_views_are_what_the_student_sees():
    data = made_up()
    boxes = torch.tensor([[0.0, 0, 1, 1, 0], [0, 0, 0.5, 1, 0]])[:, None].expand(2, N, 5).contiguous()
    two = {n: TeacherSignal(s.alpha, s.pseudo_labels.repeat(2, 1, 1)) for n, s in data.signals.items()}
    spec = recipe("distill", views=2, **TINY)
    first = weights(train(spec, made_up(two, boxes=boxes), 0))
    swapped = weights(train(spec, made_up(two, boxes=boxes.flip(0)), 0))
    assert not equal(first, swapped)


def test_it_learns_the_easy_task():
    data = made_up()
    spec = recipe("distill", **{**TINY, "images": 4000, "learning_rate": 0.03})
    trained = train(spec, data, 0)
    predicted = predict(trained.network, data.images).argmax(1)
    assert (predicted == torch.arange(N) % CLASSES).float().mean() > 0.6  # chance is .25


def test_reports_come_at_the_evaluation_steps_and_count_images():
    spec, points = recipe("fine-tune", **{**TINY, "evaluations": 4}), []
    train(spec, made_up(), 0, hooks=Hooks(on_evaluation=lambda point, network: points.append(point)))
    assert [p.step for p in points] == evaluation_steps(spec)
    assert points[-1].step == spec.steps
    assert [p.images for p in points] == [p.step * 32 for p in points]
    assert all(p.losses["labels"] > 0 for p in points)


def test_evaluation_does_not_touch_training():
    held_out = EvaluationData(made_up().images, torch.arange(N) % CLASSES)
    spec = recipe("fine-tune", **{**TINY, "evaluations": 8})
    looked = train(spec, made_up(), 0, hooks=Hooks(on_evaluation=lambda p, n: predict(n, held_out.images)))
    blind = train(replace(spec, evaluations=1), made_up(), 0)
    assert equal(weights(looked), weights(blind))


def test_a_loss_that_is_no_number_is_said():
    with pytest.raises(InvalidInputError, match="learning rate below"):
        train(recipe("fine-tune", **{**TINY, "learning_rate": 1e12}), made_up(), 0)


def test_training_without_labels_or_teachers_is_refused():
    nothing = torch.empty(0, dtype=torch.int64)
    with pytest.raises(InvalidInputError, match="label some images"):
        train(recipe("fine-tune", **TINY), made_up(labeled=nothing, labels=nothing), 0)
    with pytest.raises(InvalidInputError, match="at least one teacher"):
        train(recipe("distill", **TINY), made_up({}), 0)
    half = {"truth": TeacherSignal(0.5, made_up().signals["truth"].pseudo_labels)}
    with pytest.raises(InvalidInputError, match=r"sum to 0\.5"):
        train(recipe("distill", **TINY), made_up(half), 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objective": "magic"}, "objective is 'magic'"),
        ({"labeled_share": 1.5}, "labeled_share is 1.5"),
        ({"images": 3}, "less than one step"),
        ({"views": 0}, "views is 0"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"colour": 1}, "no field colour"),
        ({"batch_norm": "none"}, "batch_norm is 'none'"),
        ({"objective": "consensus", "strong": True, "views": 4}, "fixed views are not"),
        ({"spread": 1.5}, "spread is 1.5"),
        ({"spread": 1}, "spread is 1"),
        ({"sharpness": 0}, "sharpness is 0"),
        ({"neighbors": 2.5}, "neighbors is 2.5"),
        ({"labeled_batch": 2.5}, "labeled_batch is 2.5"),
        ({"images": True}, "images is True"),
        ({"momentum": "much"}, "momentum is 'much'"),
        ({"momentum": 1}, "momentum is 1"),
        ({"warm_up": -1}, "warm_up is -1"),
        ({"weight_decay": -1}, "weight_decay is -1"),
        ({"fixmatch_threshold": 95}, "fixmatch_threshold is 95"),
        ({"fixmatch_weight": "x"}, "fixmatch_weight is 'x'"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"strong": "no"}, "strong is 'no'"),
    ],
)
def test_a_wrong_spec_names_its_field(changes, said):
    with pytest.raises(InvalidInputError, match=said):
        spec_from({"objective": "distill", "labeled_batch": 8, "unlabeled_batch": 8, **changes})


def test_an_unknown_architecture_is_named():
    with pytest.raises(UnknownNameError, match="did you mean"):
        train(recipe("fine-tune", **{**TINY, "architecture": "resnet_18"}), made_up(), 0)


def test_weights_that_are_not_here_say_what_to_copy_where():
    with pytest.raises(UnavailableError, match=r"copy model\.safetensors"):
        train(recipe("fine-tune", **{**TINY, "start": "imagenet"}), made_up(), 0)


def test_schedule_and_average():
    spec = recipe("fine-tune", images=3200)
    rates = [learning_rate(spec, step) for step in range(spec.steps)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[-1] < 0.001
    assert ema_decay(0) == pytest.approx(0.1)
    assert ema_decay(400) == pytest.approx(401 / 410)
    assert ema_decay(100_000) == 0.999


def test_speed_is_measured():
    assert images_per_second(recipe("distill", **TINY), "cpu", threads=1, seconds=0.2) > 1
