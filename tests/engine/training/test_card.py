"""What a card does, as far as a CPU can show it: the same steps from blocks, in micro-batches, without a wait."""

import contextlib
import copy

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engine.errors import InvalidInputError
from engine.training import Hooks, card, loop
from engine.training.batches import Batches, RowTable, batch_of
from engine.training.card import Blocks, CardSteps
from engine.training.state import Rates, State
from engine.training.steps import all_tables
from engine.training.student_network import build_student
from tests.engine.training.test_train import (
    CLASSES,
    OBJECTIVES,
    TINY,
    certain,  # noqa: F401 - a fixture, which pytest finds in this module
    learn,
    made_up,
    recipe,
    weights,
)

CPU, CARD = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def as_on_a_card(monkeypatch):
    """Training takes its steps as on a card, but on this CPU and operation by operation."""
    monkeypatch.setattr(loop, "HostSteps", lambda state, batches: CardSteps(state, batches, print))
    monkeypatch.setattr(card, "BLOCK_STEPS", 3)


def difference(first, second):
    return max((first[name].float() - second[name].float()).abs().max().item() for name in first)


@pytest.mark.parametrize("room", [0.0, float("inf")])
@pytest.mark.parametrize("method", ["fixmatch", "distill-weighted"])
def test_steps_from_blocks_are_the_steps_of_the_cpu(monkeypatch, method, room, request):
    """Rates are rounded to float32 there; whether tables lie on the device or are read ahead changes nothing."""
    spec = recipe(method, **TINY)
    expected = weights(learn(spec, made_up(), 0))
    request.getfixturevalue("as_on_a_card")
    monkeypatch.setattr(card, "room_on", lambda device: room)
    assert difference(expected, weights(learn(spec, made_up(), 0))) < 1e-4


def test_a_run_resumed_in_the_middle_of_a_block_ends_alike(as_on_a_card):
    spec, checkpoints = recipe("distill-consensus", teachers_share=0.3, **TINY), []
    hooks = Hooks(on_checkpoint=checkpoints.append, checkpoint_seconds=0)
    whole = weights(learn(spec, made_up(), 0, hooks=hooks))
    again = weights(learn(spec, made_up(), 0, resume=checkpoints[1]))
    assert difference(whole, again) == 0


@pytest.mark.parametrize("error", [RuntimeError("not permitted"), torch.OutOfMemoryError("full")])
def test_a_capture_that_fails_leaves_no_trace_and_is_said(as_on_a_card, monkeypatch, error):
    """What was tried for it is put back: weights, averages, momentum, counters, sums of losses."""
    spec, said, runs = recipe("distill-consensus", teachers_share=0.3, **TINY), [], []
    for tries in (0, 1):
        run = loop._Run(spec.train, spec.settings.prepare(made_up()), made_up().data, 0, CPU, say=said.append)
        run.steps.say, run.steps.capture = said.append, bool(tries)
        run.state.parts = 2 - tries if isinstance(error, torch.OutOfMemoryError) else 1
        runs.append(run)

    def failing(steps):
        steps._eager()
        steps._eager()
        monkeypatch.setattr(CardSteps, "_captured", lambda steps: None)  # the next one does not
        raise error

    monkeypatch.setattr(CardSteps, "_captured", failing)
    for run in runs:
        run.advance()
        run.advance()
        run.steps.close()
    straight, tried = (run.checkpoint().tensors for run in runs)
    assert straight.keys() == tried.keys()
    assert all(torch.equal(straight[name], tried[name]) for name in straight)
    assert [("in 2 parts" in line, "not permitted" in line) for line in said] == [
        (str(error) == "full", str(error) != "full")
    ]


def test_blocks_lay_out_what_each_step_draws():
    spec, material = recipe("fixmatch", **TINY), made_up()
    objective, batches = spec.settings.prepare(material), Batches(spec.train, material.data, 0)
    blocks = Blocks(lambda step: objective.inputs(batches, step), 2, 10, CPU)
    blocks.steps = 3
    try:
        for step in (2, 3, 3, 4, 5, 6, 7, 8, 9):
            blocks.lay_out(step)
            for group, drawn in objective.inputs(batches, step).items():
                assert all(torch.equal(blocks.current[group][name], value) for name, value in drawn.items())
    finally:
        blocks.close()


def test_micro_batches_give_the_gradient_of_the_whole_batch():
    """Of unequal parts, too. With frozen statistics BatchNorm sees no difference either."""
    spec, material = recipe("distill-weighted", batch_norm="frozen", labeled_batch=5, **TINY), made_up()
    gradients = []
    for parts in (1, 2, 3):
        run = loop._Run(spec.train, spec.settings.prepare(material), material.data, 0, CPU)
        run.state.parts = parts
        run.advance()
        gradients.append({n: p.grad for n, p in run.state.student.named_parameters()} | run.state.losses)
    for other in gradients[1:]:
        assert all(torch.allclose(other[name], value, atol=1e-5) for name, value in gradients[0].items())


def test_a_full_memory_halves_the_micro_batch_and_goes_on(monkeypatch):
    said, largest = [], lower(monkeypatch, 20)
    trained = learn(recipe("distill-weighted", **TINY), made_up(), 0, hooks=Hooks(on_note=said.append))
    assert trained.steps == 4
    assert said == [
        "The memory of the device is full: a step's 80 images are learned from in 2 parts. Its gradient is that of all "
        "of them, but BatchNorm sees one part at a time.",
        "The memory of the device is full: a step's 80 images are learned from in 4 parts. Its gradient is that of all "
        "of them, but BatchNorm sees one part at a time.",
    ]
    assert max(largest) == 20


@pytest.mark.parametrize("method", ["fine-tune", "fixmatch"])
def test_a_memory_that_holds_no_two_images_is_a_sentence(monkeypatch, method):
    lower(monkeypatch, 1)
    with pytest.raises(InvalidInputError, match=r"full with [25] images of 32 px at a time: choose a smaller image"):
        learn(recipe(method, **TINY), made_up(), 0)


@pytest.mark.parametrize("method", ["fixmatch", "distill-weighted"])
def test_the_smallest_micro_batch_has_a_variance_in_each_pass(method):
    """At 32 px the last layers see one pixel an image, so that one image alone has none."""
    spec, material = recipe(method, **TINY), made_up()
    run = loop._Run(spec.train, spec.settings.prepare(material), material.data, 0, CPU, say=lambda sentence: None)
    for _ in range(4):
        run._halve()
    run.advance()
    assert run.state.parts == 16
    with pytest.raises(InvalidInputError, match="choose a smaller image"):
        run._halve()


class _Full(TorchDispatchMode):
    """A device without a byte left: whatever makes a tensor fails."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        there = {each.data_ptr() for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)}
        if any(each.data_ptr() not in there for each in tree_leaves(found) if isinstance(each, torch.Tensor)):
            raise torch.OutOfMemoryError(f"full at {function}")
        return found


@pytest.mark.parametrize("method", ["fixmatch", "distill-weighted"])
def test_nothing_asks_for_memory_once_a_step_has_updated_the_student(as_on_a_card, monkeypatch, method):
    """Else a step that is tried again, in smaller parts, would be taken twice. On a card the update takes none."""
    spec, material = recipe(method, **TINY), made_up()
    runs = [loop._Run(spec.train, spec.settings.prepare(material), material.data, 0, CPU) for _ in range(2)]
    with contextlib.ExitStack() as after_update:
        update = runs[0].state.optimizer.step
        monkeypatch.setattr(runs[0].state.optimizer, "step", lambda: (update(), after_update.enter_context(_Full())))
        runs[0].steps.take(0)
    runs[1].steps.take(0)
    for run in runs:
        run.steps.close()
    full, usual = (run.checkpoint().tensors for run in runs)
    assert all(torch.equal(full[name], value) for name, value in usual.items())


def lower(monkeypatch, most):
    """A device whose memory holds the activations of so many images; gives how many passed."""
    passed = []

    def features(self, pixels, whole=loop.Network.features):
        if len(pixels) > most:
            raise torch.OutOfMemoryError("full")
        passed.append(len(pixels))
        return whole(self, pixels)

    monkeypatch.setattr(loop.Network, "features", features)
    monkeypatch.setattr(loop.Network, "forward", lambda self, x: (f := features(self, x), self.classifier(f)))
    return passed


def test_predictions_take_fewer_images_at_a_time_where_memory_is_full(monkeypatch):
    material = made_up()
    network = learn(recipe("fine-tune", **TINY), material, 0).network
    expected, passed = loop.predict(network, material.data.images), lower(monkeypatch, 40)
    assert torch.allclose(loop.predict(network, material.data.images), expected, atol=1e-6)
    assert passed == [32, 32, 32]


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        *((method, {}) for method in OBJECTIVES),
        ("distill-weighted", {"temperature": 0.5}),
        ("distill-consensus", {"teachers_share": 0.3, "strong": True}),
    ],
)
def test_a_step_of_every_method_waits_for_no_card_and_mixes_no_devices(monkeypatch, method, changes):
    """On tensors that have a shape and a device and nothing else; they refuse whatever would need their values."""
    spec, material = recipe(method, **TINY, **changes), made_up()
    objective, batches = spec.settings.prepare(material), Batches(spec.train, material.data, 0)
    student, twin = (build_student(spec.train, CLASSES, objective.heads, 0, material.data.start) for _ in range(2))
    drawn, tables = objective.inputs(batches, 0), all_tables(objective, batches)
    shapes = {
        n: ((*t.parts[0].shape[:-1], sum(p.shape[-1] for p in t.parts)), t.parts[0].dtype) for n, t in tables.items()
    }
    updated = []

    def backward(loss):  # the real one asks the driver for a card
        assert loss.device == CARD
        for parameter in student.parameters():
            parameter.grad = torch.empty_like(parameter) if parameter.requires_grad else None

    def fused(parameters, gradients, momenta, *, lr, is_first_step, **_):
        assert not is_first_step
        assert all(value.device == CARD for value in (*parameters, *gradients, *momenta, lr))
        updated.extend(parameters)

    monkeypatch.setattr(torch.autograd, "backward", backward)
    monkeypatch.setattr(torch, "_fused_sgd_", fused)
    monkeypatch.setattr(copy, "deepcopy", lambda network: twin.network)  # a copy of such a tensor is of another world
    with FakeTensorMode():
        to_card(student)
        to_card(twin)
        state = State(spec.train, objective, student)
        state.hold_momentum()
        there = {
            name: RowTable((torch.empty(shape, dtype=dtype, device=CARD),), tables[name].by, tables[name].of)
            for name, (shape, dtype) in shapes.items()
        }
        inputs = {group: {n: on_card(v) for n, v in values.items()} for group, values in drawn.items()}
        for state.parts in (1, 2):
            rates = Rates(*(torch.empty((), device=CARD) for _ in range(3)))
            state.step(batch_of(inputs, there, spec.train.batch_norm), rates)
    assert len(updated) == 2 * sum(parameter.requires_grad for parameter in student.parameters())
    assert all(total.device == CARD for total in state.losses.values())


def to_card(student):
    for module in student.modules():
        for name, value in module._parameters.items():
            module._parameters[name] = None if value is None else torch.nn.Parameter(on_card(value))
        for name, value in module._buffers.items():
            module._buffers[name] = None if value is None else on_card(value)


def on_card(value):
    return torch.empty(value.shape, dtype=value.dtype, device=CARD)
