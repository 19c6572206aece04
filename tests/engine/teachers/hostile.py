"""Weights and tables that nobody should get in with: each case ends in a teacher or in one clear sentence.

`python -m tests.engine.teachers.hostile` prints how many cases of each mechanism were accepted and refused.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from engine.errors import WorkbenchError
from engine.review import open_task
from engine.tasks import Task
from engine.teachers import TeacherDescription, TeacherRecord, add_from_hub, get_teacher
from engine.teachers.catalogue import remove_teacher
from engine.workspace import Workspace
from tests.engine.teachers.hostile_making import (
    ARCHITECTURE,
    SIZE,
    Case,
    checkpoint,
    fuzzed,
    good_bytes,
    good_state,
    saved,
    state,
)
from tests.engine.teachers.hostile_tables import table_cases

TASK = "emoji-fluent"
LONGEST_SENTENCE = 1_200  # characters of a message, names of tensors included


@dataclass(frozen=True)
class Outcome:
    """What came of a case: a teacher, or a sentence; `problem` says what is wrong with that, if anything."""

    accepted: bool
    sentence: str
    problem: str | None


def cases() -> list[Case]:
    """All cases."""
    return [
        *_safetensors(),
        *_pickles(),
        *_archives(),
        *_tensors(),
        *_keys(),
        *_words(),
        *_numbers(),
        *_no_weights(),
        *table_cases(),
        *_repositories(),
    ]


def attempt(case: Case, task: Task, around: Path) -> Outcome:
    """Try one case and look at what it leaves. `around` holds the workspace and stands for the rest of the disk."""
    folder = around / "inputs"
    folder.mkdir()
    before = _files(around)
    try:
        try:
            record = case.add(folder, task)
        except WorkbenchError as error:
            return Outcome(False, str(error), _bad_sentence(str(error)) or _traces(around, before, None))
        except Exception as error:
            return Outcome(False, "", f"{type(error).__name__}: {error}")
        problem = _traces(around, before, record.name)
        if problem is None and get_teacher(task.workspace, record.name) != record:
            problem = "the record is not what was added"
        remove_teacher(task.workspace, record.name)
        return Outcome(True, f"added {record.name}", problem or _traces(around, before, None))
    finally:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        folder.rmdir()


def _bad_sentence(text: str) -> str | None:
    if not text or "\n" in text or len(text) > LONGEST_SENTENCE or "Traceback" in text:
        return f"no clear sentence: {text[:200]!r}"
    if not text.rstrip().endswith((".", "?")) and ": " not in text:
        return f"a sentence without a way out: {text!r}"
    return None


def _traces(around: Path, before: set[str], teacher: str | None) -> str | None:
    """Files that appeared and should not have."""
    new = {name for name in _files(around) - before if not name.startswith("inputs/")}
    if teacher is not None:
        new = {name for name in new if not name.startswith(f"workspace/teachers/{teacher}/") or ".tmp-" in name}
    return f"left behind: {', '.join(sorted(new)[:4])}" if new else None


def _files(around: Path) -> set[str]:
    return {str(path.relative_to(around)) for path in around.rglob("*") if path.is_file() or path.is_symlink()}


# --- weights --------------------------------------------------------------------------------------------------------


def _safetensors() -> Iterator[Case]:
    whole = good_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    for cut in (0, 1, 7, 8, 9, 100, 8 + length, 8 + length + 1, len(whole) - 1):
        yield Case("truncated safetensors", f"{cut} bytes", partial(checkpoint, whole[:cut]))
    for seed in range(12):
        yield Case(
            "fuzzed safetensors", f"header, seed {seed}", partial(checkpoint, fuzzed(whole, seed, 8, 8 + length))
        )
    for seed in range(3):
        yield Case(
            "fuzzed safetensors", f"anywhere, seed {seed}", partial(checkpoint, fuzzed(whole, seed, 0, None, 400))
        )
    for size in (2**63, 2**40, 200 * 2**20, length + 1, length - 1):
        content = struct.pack("<Q", size) + whole[8:]
        yield Case("lying header length", f"{size:,} bytes", partial(checkpoint, content))
    headers = {
        "deeply nested": b"{" + b'"a":{' * 20_000,
        "not UTF-8": b'{"\xff\xfe": 1}',
        "a list of numbers": b'{"a":[1,2,3]}',
        "a tensor twice": b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],'
        b'"data_offsets":[0,4]}}',
        "shape beyond 64 bits": b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}',
        "negative shape": b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        "offsets beyond the file": b'{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}',
        "offsets that overlap": b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],'
        b'"data_offsets":[2,6]}}',
        "a type of its own": b'{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}',
        "no tensors": b"{}",
        "30,000 tensors": json.dumps(
            {f"t{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(30_000)}
        ).encode(),
    }
    for name, header in headers.items():
        content = struct.pack("<Q", len(header)) + header + bytes(8)
        yield Case("forged header", name, partial(checkpoint, content))


class _Runs:
    """A pickle of this runs a program when it is loaded carelessly."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, Any]:
        return self.call


def _harm() -> str:
    return f"touch {tempfile.gettempdir()}/hostile-teacher-{os.getpid()}"


def harmed() -> bool:
    """Whether a program of a pickle ran."""
    return Path(_harm().partition(" ")[2]).exists()


def _pickles() -> Iterator[Case]:
    calls = {
        "os.system": _Runs(os.system, _harm()),
        "builtins.eval": _Runs(eval, f"__import__('os').system({_harm()!r})"),
        "builtins.exec": _Runs(exec, "raise SystemExit(3)"),
        "os._exit": _Runs(os._exit, 3),
        "builtins.getattr": _Runs(getattr, "", "join"),
        "io.open": _Runs(open, f"{tempfile.gettempdir()}/hostile-teacher-{os.getpid()}", "w"),
        "bytearray of a terabyte": _Runs(bytearray, 2**40),
        "a module": torch.nn.Linear(2, 2),
        "an object of numpy": np.array([object()], dtype=object),
    }
    for name, value in calls.items():
        yield Case("pickle with a program", f"{name}, archive", partial(saved, partial(dict, state_dict=value)))
        legacy = partial(saved, partial(dict, a=value), _use_new_zipfile_serialization=False)
        yield Case("pickle with a program", f"{name}, old format", legacy)
        if not isinstance(value, torch.nn.Module | np.ndarray):
            yield Case("pickle with a program", f"{name}, plain pickle", partial(checkpoint, pickle.dumps(value)))
    plain = {
        "nested lists": b"\x80\x04" + b"]" * 100_000 + b".",
        "memo bomb": b"\x80\x04](" + b"2" * 40 + b"e.",
        "no end": b"\x80\x04}q\x00(",
        "jump into nowhere": b"\x80\x04h\xff.",
        "negative length": b"\x80\x04\x8a\xff\xff\xff\xff.",
    }
    for name, content in plain.items():
        yield Case("forged pickle", name, partial(checkpoint, content + bytes(16)))


def _archives() -> Iterator[Case]:
    def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    def packed(folder: Path, task: Task, entries: Callable[[], dict[str, bytes]], **how: int) -> TeacherRecord:
        return checkpoint(zipped(entries(), **how), folder, task)

    def bomb() -> dict[str, bytes]:
        return {"a/data.pkl": b"\x80\x02}q\x00.", "a/data/0": bytes(64 * 2**20)}

    def many() -> dict[str, bytes]:
        return {f"a/{i}": b"" for i in range(50_000)}

    whole = io.BytesIO()
    torch.save(good_state(), whole)
    content = whole.getvalue()
    yield Case("archive", "a compressed bomb", partial(packed, entries=bomb, method=zipfile.ZIP_DEFLATED))
    yield Case("archive", "no weights in it", partial(checkpoint, zipped({"readme.txt": b"hello"})))
    yield Case("archive", "names that climb", partial(checkpoint, zipped({"../../data.pkl": b"\x80\x02}q\x00."})))
    yield Case("archive", "50,000 entries", partial(packed, entries=many))
    yield Case("archive", "empty", partial(checkpoint, zipped({})))
    for cut in (20, len(content) // 2, len(content) - 10):
        yield Case("archive", f"cut off at {cut:,} bytes", partial(checkpoint, content[:cut]))
    for seed in range(4):
        yield Case("archive", f"fuzzed, seed {seed}", partial(checkpoint, fuzzed(content, seed, 0, None, 300)))


def _tensors() -> Iterator[Case]:
    first = "conv1.0.weight" if "conv1.0.weight" in good_state() else next(iter(good_state()))

    def put(value: Callable[[torch.Tensor], torch.Tensor], found: dict[str, torch.Tensor]) -> None:
        found[first] = value(found[first])

    kinds: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "complex": lambda t: t.to(torch.complex64),
        "8-bit float": lambda t: t.to(torch.float8_e4m3fn),
        "half": lambda t: t.half(),
        "double": lambda t: t.double(),
        "whole numbers": lambda t: t.to(torch.int64),
        "one number less": lambda t: t.flatten()[1:].clone(),
        "no numbers": lambda t: t[:0].clone(),
    }
    for name, kind in kinds.items():
        yield Case("type of numbers", name, partial(state, partial(put, kind)))
    values = {"NaN": torch.nan, "infinite": torch.inf, "as large as can be": 3e38, "as small as can be": 1e-45}
    for name, value in values.items():
        yield Case("values", name, partial(state, partial(put, lambda t, v=value: torch.full_like(t, v))))
    yield Case("values", "all zero", partial(state, lambda found: [value.zero_() for value in found.values()]))

    def with_first(value: Callable[[], Any]) -> dict[str, Any]:
        return {**good_state(), first: value()}

    shape = tuple(good_state()[first].shape)
    odd = {
        "expanded to a terabyte": lambda: torch.zeros(1).expand(2**38),
        "expanded to the right shape": lambda: torch.zeros(1, 1, 1, 1).expand(shape),
        "sparse": lambda: torch.zeros(shape).to_sparse(),
        "quantized": lambda: torch.quantize_per_tensor(torch.zeros(shape), 0.1, 0, torch.quint8),
        "without storage": lambda: torch.zeros(shape, device="meta"),
        "a parameter": lambda: torch.nn.Parameter(torch.zeros(shape)),
    }
    for name, make in odd.items():
        yield Case("kind of tensor", name, partial(saved, partial(with_first, make)))


def _keys() -> Iterator[Case]:
    names = list(good_state())

    def renamed(found: dict[str, torch.Tensor]) -> None:
        found["../../etc/passwd"] = found.pop(names[0])

    changes: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
        "one is missing": lambda found: found.pop(names[0]),
        "all but one are missing": lambda found: [found.pop(name) for name in names[1:]],
        "one too many": lambda found: found.update({"classifier<b>": torch.zeros(3)}),
        "a path as a name": renamed,
        "a name of 100,000 letters": lambda found: found.update({"x" * 100_000: torch.zeros(1)}),
        "a name in five scripts": lambda found: found.update({"каша-粥-रोटी-خبز-ข้าว": torch.zeros(1)}),
        "transposed": lambda found: found.update({"fc.weight": found["fc.weight"].T.contiguous()}),
    }
    for name, change in changes.items():
        yield Case("names of tensors", name, partial(state, change))
    wrapped: dict[str, Callable[[], Any]] = {
        "as a training program saves": lambda: {"epoch": 3, "state_dict": good_state(), "optimizer": {"lr": 0.1}},
        "of a parallel module": lambda: {f"module.{name}": value for name, value in good_state().items()},
        "a list of tensors": lambda: list(good_state().values()),
        "numbers as names": lambda: dict(enumerate(good_state().values())),
        "one tensor": lambda: torch.zeros(10),
        "wrappers without end": lambda: {"model": {"model": {"model": {"model": {"model": {}}}}}},
    }
    for name, make in wrapped.items():
        yield Case("wrapping", name, partial(saved, make))


def _words() -> Iterator[Case]:
    scripts = ("Клетки крови", "血液细胞", "रक्त कोशिकाएँ", "خلايا الدم", "เซลล์เม็ดเลือด", "세포", "🩸 cells")
    for text in scripts:
        yield Case("names in other scripts", f"title {text}", partial(checkpoint, None, title=text))
    yield Case("names in other scripts", "classes", partial(checkpoint, None, classes=scripts[:3]))
    yield Case("names in other scripts", "collection", partial(checkpoint, None, collection=scripts[3]))
    paths = ("../../etc", "/etc/passwd", "..", ".", ".hidden", "a/b", "a\\b", "C:\\x", "CON ", "x" * 300, "a\0b", "-rf")
    for text in paths:
        yield Case("path as a name", repr(text[:20]), partial(checkpoint, None, name=text))
        yield Case("path as a title", repr(text[:20]), partial(checkpoint, None, title=text))
        yield Case("path as a file name", repr(text[:20]), partial(checkpoint, None, file_name=text))
    for text in ("cifar10", "train", "keys", "forward", "imagenet-lite0"):
        yield Case("name that is taken", text, partial(checkpoint, None, name=text))
    for text in ("Clothes", "HANDWRITTEN DIGITS"):
        yield Case("name that is taken", f"title {text}", partial(checkpoint, None, title=text))
    scary = (
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "=cmd|'/c calc'!A1",
        "[x](javascript:alert(1))",
    )
    for text in scary:
        yield Case("markup in names", f"title {text}", partial(checkpoint, None, title=text))
        yield Case("markup in names", f"class {text}", partial(checkpoint, None, classes=(text, "b", "c")))
    odd = {
        "one class": ("a",),
        "two alike": ("a", "a", "b"),
        "an empty one": ("a", "", "b"),
        "alike after trimming": ("a", " a ", "b"),
        "a line break": ("a\nb", "c", "d"),
        "text that turns around": ("\u202ea", "b", "c"),
        "half a letter": ("\ud800", "b", "c"),
        "too long": ("x" * 1_000, "b", "c"),
        "a million": tuple(map(str, range(1_000_000))),
        "too few": ("a", "b"),
        "none": (),
    }
    for name, classes in odd.items():
        yield Case("class names", name, partial(checkpoint, None, classes=classes))


def _numbers() -> Iterator[Case]:
    for size in (0, -1, 1, 10**9, 3.5, None):
        yield Case("input size", repr(size), partial(checkpoint, None, size=size))
    for mean in ((), (0.5,), (0.5,) * 4, (np.nan,) * 3, (123.7, 116.3, 103.5), "abc", (None,) * 3):
        yield Case("normalization", f"mean {mean!r}", partial(checkpoint, None, mean=mean))
    for std in ((0.0,) * 3, (-1.0,) * 3, (np.inf,) * 3, (58.4, 57.1, 57.4)):
        yield Case("normalization", f"std {std!r}", partial(checkpoint, None, std=std))
    for name in ("no_such_net", "", "hf-hub:timm/resnet18.a1_in1k", "local-dir:/etc", "../resnet18", "resnet18.no_tag"):
        yield Case("architecture", repr(name), partial(checkpoint, None, architecture=name))


def _no_weights() -> Iterator[Case]:
    contents = {
        "empty": b"",
        "text": b"these are not the weights you look for",
        "a page": b"<html><body>404 Not Found</body></html>",
        "a pointer of git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "zeros": bytes(10_000),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "ONNX": b"\x08\x07\x12\x07pytorch" + bytes(100),
        "gzip": b"\x1f\x8b\x08" + bytes(100),
        "random": np.random.default_rng(0).bytes(5_000),
    }
    for name, content in contents.items():
        yield Case("another format as weights", name, partial(checkpoint, content))


# --- repositories in the hub's layout -------------------------------------------------------------------------------


def _repositories() -> Iterator[Case]:
    good = {
        "architecture": ARCHITECTURE,
        "num_classes": 3,
        "pretrained_cfg": {"input_size": [3, SIZE, SIZE], "mean": [0.5] * 3, "std": [0.5] * 3},
    }

    def repository(config: bytes, folder: Path, task: Task) -> TeacherRecord:
        place = folder / "someone" / "network"
        place.mkdir(parents=True)
        (place / "config.json").write_bytes(config)
        save_file(good_state(), place / "model.safetensors")
        workspace = replace(task.workspace, hub_folder=folder)
        return add_from_hub(workspace, "someone/network", TeacherDescription(collection="nowhere"))

    configs: dict[str, Any] = {
        "good": good,
        "no architecture": {"num_classes": 3},
        "an architecture of nobody": {**good, "architecture": "../../x"},
        "a billion classes": {**good, "num_classes": 10**9},
        "classes below zero": {**good, "num_classes": -3},
        "too few classes": {**good, "num_classes": 2},
        "arguments that are no numbers": {**good, "model_args": {"act_layer": {"a": 1}}},
        "arguments of nobody": {**good, "model_args": {"no_such_thing": 3}},
        "arguments as a list": {**good, "model_args": [1, 2]},
        "a size of nothing": {**good, "pretrained_cfg": {"input_size": [3, 0, 0]}},
        "a size of everything": {**good, "pretrained_cfg": {"input_size": [3, 10**9, 10**9]}},
        "a mean of text": {**good, "pretrained_cfg": {"mean": "abc"}},
        "class names that run": {**good, "label_names": ["<script>1</script>", "b", "c"]},
        "a file elsewhere": {**good, "pretrained_cfg": {"file": "/etc/passwd", "url": "file:///etc/passwd"}},
    }
    for name, config in configs.items():
        yield Case("repository's configuration", name, partial(repository, json.dumps(config).encode()))
    yield Case("repository's configuration", "no JSON", partial(repository, b"{"))
    yield Case("repository's configuration", "a list", partial(repository, b"[]"))
    yield Case("repository's configuration", "nested without end", partial(repository, b'{"a":' * 50_000))
    for name in ("../..", "a/../b", "/etc/passwd", "a/b/c", "a\\b/c", "timm/", "x" * 5_000, "a/b?x=1", "", " "):
        add = partial(
            lambda folder, task, n: add_from_hub(task.workspace, n, TeacherDescription(collection="nowhere")),
            n=name,
        )
        yield Case("repository's name", repr(name[:20]), add)


def main(found: list[Case]) -> int:
    """Run cases in a workspace of their own and print the figures by mechanism; 0 if all went as it should."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    counts: Counter[tuple[str, str]] = Counter()
    problems = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        around = Path(folder)
        os.environ["WORKBENCH_HOME"] = str(around / "workspace")
        task = open_task(Workspace(around / "workspace"), TASK)
        for case in found:
            outcome = attempt(case, task, around)
            counts[case.mechanism, "accepted" if outcome.accepted else "refused"] += 1
            if outcome.problem:
                problems.append(f"{case.mechanism}, {case.name}: {outcome.problem}")
    for mechanism in dict.fromkeys(case.mechanism for case in found):
        accepted, refused = counts[mechanism, "accepted"], counts[mechanism, "refused"]
        print(f"{mechanism:32} {accepted + refused:4} cases: {accepted:3} accepted, {refused:3} refused")
    mechanisms = len({case.mechanism for case in found})
    print(
        f"{len(found)} cases of {mechanisms} mechanisms in {time.monotonic() - began:.0f} s: {len(problems)} problems"
    )
    for problem in [*problems, *(["a program of a pickle ran"] if harmed() else [])]:
        print(f"PROBLEM {problem}")
    return 1 if problems or harmed() else 0


if __name__ == "__main__":
    sys.exit(main(cases()))
