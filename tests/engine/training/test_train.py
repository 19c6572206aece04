"""Training on small made-up images whose class is where the bright bar stands."""

from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from engine.errors import InvalidInputError, UnavailableError, UnknownNameError
from engine.methods import METHODS, distill_consensus, get_method
from engine.teachers import bundled_imagenet_state, imagenet_state
from engine.training import EvaluationData, Hooks, TrainData, TrainSpec, UnfitCheckpointError, made, predict, train
from engine.training.batches import IMAGES, Batches, RowTable, batch_of
from engine.training.schedule import ema_decay, evaluation_steps, learning_rate
from engine.training.student_network import build_student
from engine.workspace import Workspace

CLASSES, N, S = 4, 96, 32
TINY = {"architecture": "mobilenetv3_small_050", "start": "random", "size": S, "images": 320, "evaluations": 2}
OBJECTIVES = list({method.settings: key for key, method in METHODS.items()}.values())  # a method for each loss
TRUTH = torch.arange(N) % CLASSES


@dataclass(frozen=True)
class Material:
    """What a run hands its method, and the images themselves."""

    data: TrainData
    alpha: dict
    said: dict
    views: torch.Tensor | None = None
    classes: int = CLASSES
    threads: int | None = None

    @property
    def labeled(self):
        return self.data.labeled.numpy()

    @property
    def labels(self):
        return self.data.labels.numpy()

    def features(self):
        return {name: np.zeros((N, 2), dtype=np.float32) for name in self.alpha}

    def pseudo_labels(self, views):
        return {name: labels.expand(views, -1, -1) for name, labels in self.said.items()}

    def boxes(self, views):
        return self.views

    def progress(self, stage, done=0, total=None, unit="images"):
        pass


@pytest.fixture(autouse=True)
def certain(monkeypatch):
    """The consensus is the truth here; how it is made is tested in test_consensus.py."""
    truth = torch.nn.functional.one_hot(TRUTH, CLASSES).float().numpy()
    monkeypatch.setattr(distill_consensus, "consensus", lambda *_, **__: truth)


def made_up(alpha=None, views=None, **changes):
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand(N, 3, S, S, generator=generator) * 80).to(torch.uint8)
    for i, label in enumerate(TRUTH.tolist()):
        images[i, :, :, label * 8 : label * 8 + 8] += 150
    labeled = torch.arange(16)
    noise = torch.rand(1, N, 7, generator=generator).softmax(2).half()
    said = {"noise": noise, "truth": torch.nn.functional.one_hot(TRUTH, CLASSES)[None].half()}
    alpha = {"noise": 0.25, "truth": 0.75} if alpha is None else alpha
    data = replace(TrainData(images, labeled, TRUTH[labeled], CLASSES, False), **changes)
    return Material(data, alpha, {name: said[name] for name in alpha}, views)


def recipe(method, **changes):
    return get_method(method).recipe(changes)


def learn(recipe, material, seed, **options):
    return train(recipe.train, recipe.settings.prepare(material), material.data, seed, **options)


def weights(found):
    return found.network.state_dict()


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.fixture(scope="module")
def undisturbed():
    """A run of seed 0 to its end, by its objective, made once for all: what was trained, its checkpoints after the
    first step and after half of them, all steps with a checkpoint, and what it told.
    """

    def to_its_end(objective):
        spec, kept, steps, told = recipe(objective, **TINY), [], [], []

        def keep(checkpoint):
            steps.append(checkpoint.step)
            if checkpoint.step in (1, spec.train.steps // 2):
                kept.append(checkpoint)

        hooks = Hooks(lambda *_: None, lambda point, network: told.append(point), keep, checkpoint_seconds=0)
        return learn(spec, made_up(), 0, hooks=hooks), kept, steps, told

    return cache(to_its_end)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_same_seed_gives_the_same_weights_and_another_does_not(undisturbed, objective):
    spec, first = recipe(objective, **TINY), weights(undisturbed(objective)[0])
    again, other = (weights(learn(spec, made_up(), seed)) for seed in (0, 1))
    assert equal(first, again)
    assert not equal(first, other)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_run_resumed_from_any_checkpoint_ends_with_the_same_weights(undisturbed, objective):
    """And with the same curve of losses, whether it was stopped between two of its points or at one."""
    spec, again = recipe(objective, **TINY), []
    whole, kept, steps, told = undisturbed(objective)
    assert steps == list(range(1, spec.train.steps + 1))
    assert len(kept) == 2
    for checkpoint in kept:
        again.clear()
        listening = Hooks(on_evaluation=lambda point, network: again.append(point))
        assert equal(weights(learn(spec, made_up(), 0, hooks=listening, resume=checkpoint)), weights(whole))
        missed = [p for p in told if p.step > checkpoint.step]
        assert [(p.step, p.losses) for p in again] == [(p.step, p.losses) for p in missed]


@pytest.mark.parametrize("change", ["another name", "another part", "another shape", "less", "another step"])
def test_a_checkpoint_of_another_student_is_refused(undisturbed, change):
    spec, saved = recipe("fine-tune", **TINY), undisturbed("fine-tune")[1][0]
    tensors = dict(saved.tensors)
    name = next(key for key in tensors if key.startswith("momentum.") and tensors[key].ndim > 1)
    value = tensors.pop(name)
    if change == "less":
        tensors.pop(next(key for key in tensors if key.startswith("averaged.")))
    elif change == "another step":
        saved = replace(saved, step=spec.train.steps + 1)
    else:
        name = {"another name": "momentum.none", "another part": "optimum.x"}.get(change, name)
        tensors[name] = value[:1] if change == "another shape" else value
    with pytest.raises(UnfitCheckpointError):
        learn(spec, made_up(), 0, resume=replace(saved, tensors=tensors))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_budget_is_counted_in_student_images_with_gradient(undisturbed, objective):
    spec, trained = recipe(objective, **TINY).train, undisturbed(objective)[0]
    assert trained.images == trained.steps * spec.images_per_step
    assert spec.images - spec.images_per_step < trained.images <= spec.images


def test_the_labels_alone_count_when_lambda_is_one(undisturbed):
    fine_tuned = undisturbed("fine-tune")[0]
    for objective in (key for key, method in METHODS.items() if method.weights):
        distilled = learn(recipe(objective, labeled_share=1.0, **TINY), made_up(), 0)
        assert equal(weights(fine_tuned), weights(distilled))
        assert fine_tuned.images == distilled.images


def test_a_consensus_that_gives_all_to_the_teachers_heads_is_the_papers_loss():
    """With a teachers' share of 1 the consensus has no weight, so what is left is λ·labels + (1 − λ)·teachers."""
    paper = weights(learn(recipe("distill-weighted", **TINY), made_up(), 0))
    joined = weights(learn(recipe("distill-consensus", teachers_share=1.0, labels_rise=0.0, **TINY), made_up(), 0))
    difference = max((paper[k].float() - joined[k].float()).abs().max().item() for k in paper)
    assert difference < 1e-4  # the order of the sums


def test_the_labels_share_of_the_loss_rises_from_a_quarter_of_the_steps_on():
    material = made_up()
    spec = recipe("distill-consensus", labels_rise=0.5, **{**TINY, "images": 1280})
    objective, steps = spec.settings.prepare(material), spec.train.steps
    student = build_student(spec.train, CLASSES, {}, 0, material.data.start)
    batches = Batches(spec.train, material.data, 0)

    def weights_at(step):
        tables = {IMAGES: RowTable((material.data.images,)), **objective.tables}
        loss = objective.loss(student, batch_of(objective.inputs(batches, step), tables, spec.train.batch_norm))
        return [float(loss[name].weight) for name in ("labels", "consensus")]

    assert weights_at(0) == weights_at(steps // 4) == pytest.approx([0.2, 0.8])
    assert weights_at(steps * 5 // 8) == pytest.approx([0.4, 0.6])
    assert weights_at(steps) == pytest.approx([0.6, 0.4])


def test_the_consensus_teaches_what_no_label_says():
    """Class 3 has no labeled image; only the consensus tells the student of it."""
    data = made_up().data
    known = data.labels != 3
    material = made_up(labeled=data.labeled[known], labels=data.labels[known])
    spec = recipe("distill-consensus", **{**TINY, "images": 4000, "learning_rate": 0.03})
    answers = predict(learn(spec, material, 0).network, data.images).argmax(1)
    assert (answers[TRUTH == 3] == 3).float().mean() > 0.8


def test_one_hot_weights_are_that_teacher_alone():
    alone = {"truth": 1.0}
    with_silent = {**alone, "noise": 0.0}
    spec = recipe("distill-weighted", **{**TINY, "images": 80})  # one step: later ones enlarge what rounding differs by
    first, second = (weights(learn(spec, made_up(alpha), 0)) for alpha in (alone, with_silent))
    difference = max((first[k].float() - second[k].float()).abs().max().item() for k in first)
    assert difference < 1e-6  # the runs drop silent heads altogether; here the head is there, and changes nothing


def test_no_extra_head_ships():
    trained = learn(recipe("distill-weighted", **TINY), made_up(), 0)
    assert not [name for name in weights(trained) if "heads" in name]
    assert trained.network.classifier.out_features == CLASSES
    expected = build_student(
        recipe("fine-tune", **TINY).train, CLASSES, {}, 0, bundled_imagenet_state
    ).network.state_dict()
    assert weights(trained).keys() == expected.keys()


def test_a_head_starts_alike_whichever_others_there_are():
    spec = recipe("distill-weighted", **TINY).train
    one = build_student(spec, CLASSES, {"a": 5}, 0, bundled_imagenet_state)
    two = build_student(spec, CLASSES, {"a": 5, "b": 3}, 0, bundled_imagenet_state)
    for name in ("heads.a.weight", "heads.a.bias"):
        assert torch.equal(one.state_dict()[name], two.state_dict()[name])
    assert torch.equal(one.network.classifier.weight, two.network.classifier.weight)


def test_heads_are_written_and_read_by_teacher_in_any_order():
    """Files of version 0.1 have each teacher's head under its name."""
    spec = recipe("distill-weighted", **TINY).train
    one = build_student(spec, CLASSES, {"a": 5, "b": 3}, 0, bundled_imagenet_state)
    two = build_student(spec, CLASSES, {"b": 3, "a": 5}, 1, bundled_imagenet_state)
    features = torch.randn(2, one.network.classifier.in_features, generator=torch.Generator().manual_seed(0))
    two.load_state_dict(one.state_dict())
    a, b = (
        F.linear(features, *(one.state_dict()[f"heads.{name}.{part}"] for part in ("weight", "bias"))) for name in "ab"
    )
    assert torch.allclose(one.heads(features), torch.cat([a, b], 1), atol=1e-6)
    assert torch.allclose(two.heads(features), torch.cat([b, a], 1), atol=1e-6)
    with pytest.raises(RuntimeError, match=r"heads\.c\.weight"):
        two.load_state_dict({name.replace("heads.a", "heads.c"): value for name, value in one.state_dict().items()})


def test_the_pseudo_labels_are_never_changed():
    material = made_up()
    before = {name: labels.clone() for name, labels in material.said.items()}
    learn(recipe("distill-weighted", temperature=0.5, **TINY), material, 0)
    assert all(torch.equal(before[name], labels) for name, labels in material.said.items())


def test_a_linear_probe_leaves_the_body_as_it_was():
    spec = recipe("linear-probe", **TINY)
    start = build_student(spec.train, CLASSES, {}, 0, bundled_imagenet_state).network
    trained = learn(spec, made_up(), 0).network
    head = {id(p) for p in trained.classifier.parameters()}
    body = [name for name, p in trained.named_parameters() if id(p) not in head]
    assert all(torch.equal(start.state_dict()[n], trained.state_dict()[n]) for n in body)
    assert torch.equal(start.model.bn1.running_mean, trained.model.bn1.running_mean)
    assert not torch.equal(start.classifier.weight, trained.classifier.weight)


def test_frozen_batch_norm_keeps_its_statistics():
    spec = recipe("fine-tune", batch_norm="frozen", **TINY)
    start = build_student(spec.train, CLASSES, {}, 0, bundled_imagenet_state).network
    trained = learn(spec, made_up(), 0).network
    assert torch.equal(start.model.bn1.running_mean, trained.model.bn1.running_mean)


def test_views_are_what_the_student_sees():
    boxes = torch.tensor([[0.0, 0, 1, 1, 0], [0, 0, 0.5, 1, 0]])[:, None].expand(2, N, 5).contiguous()
    spec = recipe("distill-weighted", views=2, **TINY)
    first = weights(learn(spec, made_up(views=boxes), 0))
    swapped = weights(learn(spec, made_up(views=boxes.flip(0)), 0))
    assert not equal(first, swapped)


def test_it_learns_the_easy_task():
    material = made_up()
    spec = recipe("distill-weighted", **{**TINY, "images": 4000, "learning_rate": 0.03})
    trained = learn(spec, material, 0)
    predicted = predict(trained.network, material.data.images).argmax(1)
    assert (predicted == TRUTH).float().mean() > 0.6  # chance is .25


def test_reports_come_at_the_evaluation_steps_and_count_images():
    spec, points = recipe("fine-tune", **{**TINY, "evaluations": 4}), []
    learn(spec, made_up(), 0, hooks=Hooks(on_evaluation=lambda point, network: points.append(point)))
    assert [p.step for p in points] == evaluation_steps(spec.train)
    assert points[-1].step == spec.train.steps
    assert [p.images for p in points] == [p.step * 32 for p in points]
    assert all(p.losses["labels"] > 0 for p in points)


def test_evaluation_does_not_touch_training():
    held_out = EvaluationData(made_up().data.images, TRUTH)
    spec, once = (recipe("fine-tune", **{**TINY, "evaluations": count}) for count in (8, 1))
    looked = learn(spec, made_up(), 0, hooks=Hooks(on_evaluation=lambda p, n: predict(n, held_out.images)))
    blind = learn(once, made_up(), 0)
    assert equal(weights(looked), weights(blind))


def test_a_loss_that_is_no_number_is_said():
    with pytest.raises(InvalidInputError, match="learning rate below"):
        learn(recipe("fine-tune", **{**TINY, "learning_rate": 1e12}), made_up(), 0)


def test_training_without_labels_or_teachers_is_refused():
    nothing = torch.empty(0, dtype=torch.int64)
    with pytest.raises(InvalidInputError, match="label some images"):
        learn(recipe("fine-tune", **TINY), made_up(labeled=nothing, labels=nothing), 0)
    with pytest.raises(InvalidInputError, match="at least one teacher"):
        learn(recipe("distill-weighted", **TINY), made_up({}), 0)
    with pytest.raises(InvalidInputError, match=r"sum to 0\.5"):
        learn(recipe("distill-weighted", **TINY), made_up({"truth": 0.5}), 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labeled_share": 1.5}, "labeled_share is 1.5: choose a number from 0 to 1"),
        ({"images": 3}, "less than one step"),
        ({"views": 0}, "views is 0: choose a whole number from 1 up"),
        ({"learning_rate": 0}, "learning_rate is 0: choose a number above 0"),
        ({"batch_norm": "none"}, "batch_norm is 'none': choose one of joint, separate, frozen"),
        ({"strong": True, "views": 4}, "fixed views are not"),
        ({"propagation": 1.5}, "propagation is 1.5"),
        ({"propagation": 1}, "propagation is 1: choose a number from 0 to below 1"),
        ({"sharpness": 0}, "sharpness is 0"),
        ({"neighbors": 2.5}, "neighbors is 2.5"),
        ({"labeled_batch": 2.5}, "labeled_batch is 2.5"),
        ({"unlabeled_batch": 0}, "unlabeled_batch is 0"),
        ({"images": True}, "images is True"),
        ({"momentum": "much"}, "momentum is 'much'"),
        ({"momentum": 1}, "momentum is 1"),
        ({"warm_up": -1}, "warm_up is -1"),
        ({"weight_decay": -1}, "weight_decay is -1"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"strong": "no"}, "strong is 'no': choose true or false"),
        ({"architecture": 7}, "architecture is 7: choose a text"),
    ],
)
def test_a_wrong_value_names_its_field(changes, said):
    with pytest.raises(InvalidInputError, match=said):
        recipe("distill-consensus", **changes)


@pytest.mark.parametrize("changes", [{"fixmatch_threshold": 95}, {"fixmatch_weight": "x"}])
def test_a_wrong_value_of_a_methods_own_names_its_field(changes):
    with pytest.raises(InvalidInputError, match=f"{next(iter(changes))} is "):
        recipe("fixmatch", **changes)


def test_a_field_that_does_not_exist_is_named():
    with pytest.raises(InvalidInputError, match="no field colour"):
        made(TrainSpec, {"colour": 1}, "The training spec")


def test_an_unknown_architecture_is_named():
    with pytest.raises(UnknownNameError, match="did you mean"):
        learn(recipe("fine-tune", **{**TINY, "architecture": "resnet_18"}), made_up(), 0)


def test_weights_that_are_not_here_say_what_to_copy_where(tmp_path):
    start = partial(imagenet_state, Workspace(tmp_path))
    with pytest.raises(UnavailableError, match=r"copy model\.safetensors"):
        learn(recipe("fine-tune", **{**TINY, "start": "imagenet"}), made_up(start=start), 0)


def test_schedule_and_average():
    spec = recipe("fine-tune", images=3200).train
    rates = [learning_rate(spec, step) for step in range(spec.steps)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[-1] < 0.001
    assert ema_decay(0) == pytest.approx(0.1)
    assert ema_decay(400) == pytest.approx(401 / 410)
    assert ema_decay(100_000) == 0.999
