"""Known data sets with hostile lists."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator

import numpy as np

from tests.engine.intake import made_sources as made
from tests.hostile.making import flipped, random_of
from tests.hostile.suite import Case


class _Calls:
    """Pickles as a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call


def known() -> Iterator[Case]:
    """The cases of this module."""

    def batch(name: str, content: bytes, mechanism: str = "pickle that runs a program") -> Case:
        files = {**made.cifar_10(), "cifar-10-batches-py/data_batch_2": content}
        return Case(mechanism, name, lambda folder: made.put(folder, files))

    harmless = "import os; open('owned', 'w')"
    for name, function, *arguments in (
        ("os.system", os.system, "touch owned"),
        ("eval", eval, harmless),
        ("exec", exec, harmless),
        ("open", open, "owned", "w"),
        ("getattr", getattr, os, "system"),
        ("numpy.fromfile", np.fromfile, "/etc/passwd"),
        ("numpy.load", np.load, "/etc/passwd"),
        ("pickle.loads", pickle.loads, b"x"),
        ("import", __import__, "os"),
        ("bytearray", bytearray, 2**40),
        ("range", range, 2**60),
    ):
        if name == "getattr":
            arguments = ["x", "y"]
        yield batch(name, pickle.dumps({b"data": _Calls(function, *arguments), b"labels": [0]}, protocol=2))
    yield batch("persistent id", b"\x80\x02X\x01\x00\x00\x00aQ.")
    yield batch("extension", b"\x80\x02\x82\x01.")
    rows = np.zeros((6, 3072), dtype=np.uint8)
    broken = "pickle of another kind"
    for name, value in (
        ("objects", {b"data": np.array([None, 1], dtype=object), b"labels": [0]}),
        ("shape", {b"data": rows[:, :99], b"labels": [0] * 6}),
        ("labels", {b"data": rows, b"labels": [99] * 6}),
        ("text", {b"data": rows, b"labels": ["x"] * 6}),
        ("list", [1, 2]),
        ("float", {b"data": rows.astype(float), b"labels": [0] * 6}),
    ):
        yield batch(name, pickle.dumps(value, protocol=2), broken)
    whole = made.cifar_10()["cifar-10-batches-py/data_batch_2"]
    for i in range(8):
        yield batch(f"bytes {i}", flipped(whole[:80], random_of(f"pickle {i}"), 3) + whole[80:], broken)
    yield batch("cut", whole[:500], broken)
    yield batch("long", b"\x80\x02" + b"(" * 10_000 + b".", broken)
    yield batch("memo", b"\x80\x02" + b"]q\x00" + b"h\x00h\x00\x86" * 2000 + b".", broken)
    lists = "hostile lists of a data set"
    for name, change in {
        "climbing": {"CUB_200_2011/images.txt": "1 ../../../secret.jpg\n2 /etc/passwd\n3 ..\\x\n"},
        "missing": {"CUB_200_2011/image_class_labels.txt": "1 1\n"},
        "no pairs": {"CUB_200_2011/images.txt": "hello\n"},
        "unknown class": {"CUB_200_2011/image_class_labels.txt": "".join(f"{i} 99\n" for i in range(1, 9))},
        "markup": {"CUB_200_2011/classes.txt": "1 001.<script>alert(1)</script>\n2 002.=1+1\n"},
        "noise": {"CUB_200_2011/train_test_split.txt": random_of("cub").bytes(900)},
        "empty": {"CUB_200_2011/images.txt": ""},
    }.items():
        yield Case(lists, f"cub {name}", lambda folder, change=change: made.put(folder, {**made.cub(), **change}))
    train = made.dogs()["train_list.mat"]
    for i in range(8):
        changed = {"train_list.mat": flipped(train, random_of(f"mat {i}"), 1 + 3 * i)}
        yield Case(lists, f"mat {i}", lambda folder, changed=changed: made.put(folder, {**made.dogs(), **changed}))
    yield Case(lists, "mat empty", lambda folder: made.put(folder, {**made.dogs(), "test_list.mat": b""}))
    for name, text in {
        "two classes": "ISIC_0024306,1.0,1.0,0,0,0,0,0",
        "words": "ISIC_0024306,yes,no,,,,,",
        "columns": "",
    }.items():
        table = "ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv"
        header = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n" if text else "a,b\n"
        yield Case(
            lists, f"isic {name}", lambda folder, t=table, c=header + text: made.put(folder, {**made.isic(), t: c})
        )
