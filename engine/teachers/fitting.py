"""Finding an architecture's weights among a checkpoint's tensors, however a training program wrapped them.

A training program puts words before every name (`module.`, `_orig_mod.`, `backbone.`, `state_dict_ema.`), in any order,
and keeps what is no part of the network (a loss, a queue, an optimizer). So the words before the names are found, not
listed: they are those under which most of the architecture's tensors are in the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import InvalidInputError
from engine.teachers.checkpoint import refuse_infinite, shortened, type_name

WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}  # PyTorch's own, at any place of a name
# Tensors beside the network's own that training programs keep at the same place, by the first part of their name.
FOREIGN = re.compile(
    r"criterion|loss(?:es|_fn|_func|_function)?|queue\w*|mask_token|n_averaged|(?:train_|val_|test_)?(?:metrics?|acc)|"
    r"optimizer\w*|scheduler|scaler|ema\w*|teacher|student|momentum\w*|center"
)
# What networks count or compute for themselves, the last part of its name; newer versions of them do not save it.
COUNTED, COMPUTED = "num_batches_tracked", {"relative_position_index", "attn_mask"}
LONGEST_PREFIX = 16  # parts of a name before the architecture's own; ours
# Of several networks that fit equally, averaged weights come first, as in timm's own loader, and last those that the
# authors of their method do not evaluate: MoCo's key encoder, BYOL's target, DINO's student. Words of a prefix.
AVERAGED = re.compile(r"(?:^|[._])(?:ema|averaged?|swa)(?=[._])")
FOLLOWING = re.compile(r"(?:^|[._])(?:encoder_k|key|momentum|target|student)(?=[._])")


@dataclass(frozen=True)
class Fit:
    """An architecture's tensors out of a checkpoint."""

    state: dict[str, Tensor]
    notes: tuple[str, ...]  # which of several networks they are, and what was left out, in sentences


@dataclass(frozen=True)
class KeyDiff:
    """How the tensors of a file differ from those of an architecture."""

    missing: tuple[str, ...]  # the architecture has them, the file does not
    unexpected: tuple[str, ...]  # the file has them, the architecture does not
    wrong_shape: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]  # name, in the file, in the architecture
    matching: int  # how many fit

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.wrong_shape)

    def sentence(self) -> str:
        """The difference in words: counts and the first names of each kind."""
        shapes = [f"{name} is {_shape(found)} instead of {_shape(wanted)}" for name, found, wanted in self.wrong_shape]
        kinds = (("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", shapes))
        parts = [f"{len(names):,} {kind} ({_first(names)})" for kind, names in kinds if names]
        return f"{self.matching:,} tensors fit; {'; '.join(parts)}"

    def rows(self) -> list[dict[str, str]]:
        """The difference as a table: tensor, what is wrong, its shape in the file and in the architecture."""
        found = [
            {"tensor": n, "problem": "another shape", "file": _shape(a), "architecture": _shape(b)}
            for n, a, b in self.wrong_shape
        ]
        for names, problem in ((self.unexpected, "only in the file"), (self.missing, "only in the architecture")):
            found += [{"tensor": n, "problem": problem, "file": "", "architecture": ""} for n in names]
        return found


class MismatchError(InvalidInputError):
    """Weights that do not fit the architecture; `diff` says where."""

    def __init__(self, name: str, architecture: str, diff: KeyDiff) -> None:
        hint = "Check the architecture, and that there is one class name for each of the network's classes."
        if not diff.matching:
            hint = "Check the architecture: not one name is the same."
        elif not diff.missing and not diff.wrong_shape:
            hint = "Check the architecture; if these are no part of the network, say so with --ignore."
        super().__init__(f"{name} does not fit {architecture}: {diff.sentence()}. {hint}")
        self.diff = diff


def fit(
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    name: str,
    architecture: str,
    *,
    heads: Sequence[str] = (),
    prefix: str = "",
    ignore: Sequence[str] = (),
) -> Fit:
    """The tensors of `model` among those of a file called `name`, as `read_tensors` gives them.

    `heads`: modules of the architecture that are not wanted. `prefix`: what the names of the wanted tensors begin with,
    for a file of several networks. `ignore`: first parts of further names that are no part of the network. Raises
    MismatchError with the difference; InvalidInputError for a prefix that is not there, or values that are no weights.
    """
    wanted = model.state_dict()
    places = _places(tensors)
    candidates = _candidates(places, tensors, wanted)
    if prefix:
        candidates = [c for c in candidates if c.prefix.startswith(f"{prefix.rstrip('.')}.")]
        if not candidates:
            raise InvalidInputError(
                f"No tensor of {name} that {architecture} has is called {shortened(prefix)}…: choose another "
                "beginning, or none."
            )
    chosen = min(candidates, key=_Candidate.order) if candidates else _Candidate("", 0, 0)
    others = [c.prefix for c in candidates if c != chosen and c.fitting == chosen.fitting]
    of_others = {key for key in places if any(key.startswith(o) and key[len(o) :] in wanted for o in others)}
    inside = {key.removeprefix(chosen.prefix): key for key in places if key.startswith(chosen.prefix)}
    foreign = {
        key
        for key, place in inside.items()
        if key not in wanted and (place in of_others or _is_foreign(key, heads, ignore))
    }
    state = {key: tensors[places[place]] for key, place in inside.items() if key not in foreign}
    for key, value in wanted.items():
        if key.rpartition(".")[2] == COUNTED:  # half precision may have made them halves: no answer depends on them
            state[key] = _counted(state.get(key), value)
    if found := diff(model, state):
        raise MismatchError(name, architecture, found)
    refuse_infinite(state, name)
    _refuse_whole_numbers(wanted, state, name)
    left = [key for key in places if key not in of_others and key.removeprefix(chosen.prefix) not in state]
    return Fit(state, tuple(_notes(chosen.prefix, others, _groups(left, chosen.prefix))))


def _counted(found: Tensor | None, wanted: Tensor) -> Tensor:
    """What a network counted, as the whole number that it is; 0 where nobody wrote it down, or no number is left."""
    if found is None:
        return torch.zeros_like(wanted)
    return found.nan_to_num(0, 0, 0).to(wanted.dtype) if found.is_floating_point() else found


@dataclass(frozen=True)
class _Candidate:
    """A place in a file where tensors of an architecture are."""

    prefix: str
    fitting: int  # how many of them have the architecture's shape
    named: int  # how many have its names

    def order(self) -> tuple[int, int, bool, bool, int, str]:
        """The best first."""
        averaged, following = bool(AVERAGED.search(self.prefix)), bool(FOLLOWING.search(self.prefix))
        return -self.fitting, -self.named, not averaged, following, len(self.prefix), self.prefix


def _candidates(
    places: Mapping[str, str], tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> list[_Candidate]:
    named: Counter[str] = Counter()
    fitting: Counter[str] = Counter()
    for key, place in places.items():
        parts = key.split(".")
        for start in range(min(len(parts), LONGEST_PREFIX)):
            own = ".".join(parts[start:])
            if own in wanted and not own.endswith(COUNTED):  # averaged weights often lack these
                prefix = key.removesuffix(own)
                named[prefix] += 1
                fitting[prefix] += tensors[place].shape == wanted[own].shape
    return [_Candidate(prefix, fitting[prefix], named[prefix]) for prefix in named]


def _places(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """The name of each tensor in the file, by its name without PyTorch's wrappers."""
    places: dict[str, str] = {}
    for key in tensors:
        plain = ".".join(part for part in key.split(".") if part not in WRAPPERS)
        places[key if plain in places else plain] = key
    return places


def _is_foreign(key: str, heads: Sequence[str], ignore: Sequence[str]) -> bool:
    """Whether a name that the architecture does not have is no part of a network of its kind either."""
    modules = (*heads, *(name.rstrip(".*") for name in ignore))
    return bool(
        FOREIGN.fullmatch(key.partition(".")[0])
        or key.rpartition(".")[2] in COMPUTED
        or any(key == module or key.startswith(f"{module}.") for module in modules)
    )


def _groups(keys: Sequence[str], prefix: str) -> list[str]:
    """Names that were left out, those of one module beside `prefix` together: "criterion.* (2 tensors)"."""
    groups: dict[str, list[str]] = {}
    for key in keys:
        parts, shared = key.split("."), 0
        while shared < len(parts) - 1 and prefix.startswith(".".join(parts[: shared + 1]) + "."):
            shared += 1
        groups.setdefault(".".join(parts[: shared + 1]), []).append(key)
    return [
        shortened(names[0]) if len(names) == 1 else f"{shortened(group)}.* ({len(names):,} tensors)"
        for group, names in groups.items()
    ]


def _notes(prefix: str, others: Sequence[str], left: Sequence[str]) -> list[str]:
    notes = []
    if others:
        kind = "the averaged (EMA) one, " if AVERAGED.search(prefix) else ""
        notes.append(
            f"The file holds {len(others) + 1} sets of weights that fit: {kind}under {_word(prefix)}, was taken, not "
            f"{'that' if len(others) == 1 else 'those'} under {_first([_word(other) for other in others])}."
        )
    if left:
        notes.append(f"Left out, as no part of the network: {_first(left, 8)}.")
    return notes


def _word(prefix: str) -> str:
    return repr(shortened(prefix.rstrip("."))) if prefix else "no word"


def diff(model: nn.Module, state: Mapping[str, Tensor]) -> KeyDiff:
    """How `state` differs from the parameters and buffers of `model`."""
    wanted = model.state_dict()
    shared = [name for name in wanted if name in state]
    wrong = [
        (name, tuple(state[name].shape), tuple(wanted[name].shape))
        for name in shared
        if state[name].shape != wanted[name].shape
    ]
    return KeyDiff(
        missing=tuple(name for name in wanted if name not in state),
        unexpected=tuple(name for name in state if name not in wanted),
        wrong_shape=tuple(wrong),
        matching=len(shared) - len(wrong),
    )


def as_event(found: KeyDiff, most: int = 200) -> dict[str, Any]:
    """A difference as fields of an event, at most `most` names of each kind."""
    return {name: value[:most] if isinstance(value, tuple) else value for name, value in asdict(found).items()}


def from_event(fields: Mapping[str, Any]) -> KeyDiff:
    """What `as_event` wrote."""
    return KeyDiff(
        missing=tuple(fields["missing"]),
        unexpected=tuple(fields["unexpected"]),
        wrong_shape=tuple((name, tuple(found), tuple(wanted)) for name, found, wanted in fields["wrong_shape"]),
        matching=int(fields["matching"]),
    )


def _refuse_whole_numbers(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], name: str) -> None:
    """Raises InvalidInputError if a weight is a whole number in `state`, so that its digits are lost."""
    for key, value in wanted.items():
        if value.is_floating_point() != state[key].is_floating_point():
            raise InvalidInputError(
                f"The tensor {key!r} of {name} has the type {type_name(state[key])} where the architecture has "
                f"{type_name(value)}: save the weights as float32 or float16."
            )


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(str(length) for length in shape) or "one number"


def _first(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(shortened(name, 120) for name in names[:most]) + (", …" if len(names) > most else "")
