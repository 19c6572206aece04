import errno
import os
import random
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from safetensors.torch import load_file, save_file

from engine import tensors
from engine.errors import DamagedFileError, StorageError
from engine.tensors import all_tensors, read_tensors, reading_tensors, refusals_as_errors, write_tensors

TENSORS = {"a": torch.arange(600.0).view(20, 30), "b": torch.ones(7, dtype=torch.bfloat16), "n": torch.tensor(3)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_tensors(tmp_path / "x.safetensors", TENSORS, {"about": '{"step": 4, "sha256":"none"}'})
    return tmp_path / "x.safetensors"


def read(path: Path) -> dict[str, torch.Tensor]:
    with reading_tensors(path, "pt", also=("about",)) as file:
        return all_tensors(file)


def test_tensors_come_back_also_to_other_readers(path: Path) -> None:
    for found in (read(path), load_file(path)):
        assert all(torch.equal(found[name], value) for name, value in TENSORS.items())
    with safetensors.safe_open(path, framework="pt") as file:
        assert file.metadata()["about"] == '{"step": 4, "sha256":"none"}'


def test_an_array_that_lies_column_by_column_comes_back(tmp_path: Path) -> None:
    chosen = np.arange(12.0).reshape(3, 4)[:, [0, 1, 3]]
    assert not chosen.flags["C_CONTIGUOUS"]
    write_tensors(tmp_path / "x.safetensors", {"chosen": chosen, "one": np.array(2.5)})
    found = read_tensors(tmp_path / "x.safetensors", "numpy")
    assert (found["chosen"] == chosen).all()
    assert found["one"] == 2.5


def test_arrays_come_back(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x.safetensors", {"rows": np.arange(5), "halves": np.ones((5, 2), np.float16)})
    assert read_tensors(tmp_path / "x.safetensors", "numpy")["rows"].tolist() == [0, 1, 2, 3, 4]


def test_no_flipped_byte_passes_wherever_it_lies(path: Path) -> None:
    whole = path.read_bytes()
    lot = random.Random(0)
    header = 8 + int.from_bytes(whole[:8], "little")
    for place in [*range(header), *(lot.randrange(header, len(whole)) for _ in range(100))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << lot.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=r"x\.safetensors is damaged"):
            read(path)


@pytest.mark.parametrize("content", [b"", b"1234567", b"\xff" * 40, b"\x02" + b"\0" * 7 + b"[]", b"[" * 9000])
def test_what_is_no_file_of_tensors_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DamagedFileError, match="x is damaged"):
        read(tmp_path / "x")


def test_a_file_without_a_checksum_is_read_as_that_of_an_old_version(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "x", metadata={"about": "1"})
    assert torch.equal(read(tmp_path / "x")["a"], TENSORS["a"])
    with pytest.raises(DamagedFileError, match="names what no version of the program writes"):
        read_tensors(tmp_path / "x")


def test_a_file_that_changes_is_verified_again(path: Path) -> None:
    read(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError):
        read(path)


def test_what_is_not_there_or_no_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "x")
    with pytest.raises(StorageError, match="directory"):
        read_tensors(tmp_path)


def test_a_full_disk_is_said_with_the_room_that_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(
        StorageError, match=r"No space left while writing .*x, which takes 2,\d\d\d bytes while .* free"
    ):
        write_tensors(tmp_path / "x", TENSORS)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_that_the_library_words_is_the_same_sentence(tmp_path: Path) -> None:
    told = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(StorageError, match=r"takes 5\.0 MB"), refusals_as_errors(tmp_path / "x", 5_000_000):
        raise tensors.safetensors.SafetensorError(told)
