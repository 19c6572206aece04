import errno
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engine import files
from engine.errors import DamagedFileError, InvalidInputError, StorageError

REPOSITORY = Path(__file__).resolve().parents[2]


def start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    head = "import sys, time\nfrom pathlib import Path\nfrom engine import files\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + code, *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, start_new_session=True
    )


def temporaries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(files.TEMPORARY_PREFIX)]


def test_json_comes_back_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "value.json"
    files.write_json(path, {"name": "naïve", "n": [1, 2.5, None]})
    assert files.read_json(path) == {"name": "naïve", "n": [1, 2.5, None]}
    assert "naïve" in path.read_text(encoding="utf-8")
    assert [found.name for found in path.parent.iterdir()] == ["value.json"]


def test_numbers_that_json_lacks_are_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    files.write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, float("nan"))
    with pytest.raises(InvalidInputError, match=r"leaves.udcff.* is not UTF-8"):
        files.write_json(path, {"source": "/data/leaves\udcff"})
    assert files.read_json(path) == 1


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe\x00", b"nonsense"])
def test_what_is_not_json_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "value.json"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"value\.json is not valid JSON"):
        files.read_json(path)


def test_what_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    for read in (files.read_json, files.sha256):
        with pytest.raises(StorageError, match="No such file"):
            read(tmp_path / "nothing")


def test_a_body_that_raises_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "value.txt"
    files.write_bytes(path, b"old")
    with pytest.raises(KeyError, match="oops"), files.replacing(path) as temporary:
        temporary.write_bytes({}["oops"])
    assert path.read_bytes() == b"old"
    assert temporaries(tmp_path) == []


def test_a_full_disk_leaves_the_old_content_and_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "value.txt"
    files.write_bytes(path, b"old")

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=r"No space left while writing .*value.txt: free some space on that disk"):
        files.write_bytes(path, b"new")
    with (
        pytest.raises(StorageError, match="free some space"),
        files.replacing_folder(tmp_path / "folder") as temporary,
    ):
        (temporary / "part").write_bytes(b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["value.txt"]


def test_a_disk_that_cannot_flush_folders_is_still_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))  # as some network disks say
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    files.write_bytes(tmp_path / "value.txt", b"new")
    assert (tmp_path / "value.txt").read_bytes() == b"new"


def test_a_clean_up_that_is_refused_does_not_hide_the_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "refused")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StorageError), files.replacing(tmp_path / "value.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_where_a_folder_should_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StorageError, match="taken"):
        files.write_bytes(tmp_path / "taken" / "value.txt", b"new")
    with pytest.raises(StorageError, match="taken"), files.replacing_folder(tmp_path / "taken"):
        pass
    assert (tmp_path / "taken").is_file()


def test_a_writer_killed_before_the_rename_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "value.txt"
    files.write_bytes(path, b"old")
    writer = start(
        "with files.replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'new')\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n",
        str(path),
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert path.read_bytes() == b"old"
    assert len(temporaries(tmp_path)) == 1  # what it left can be told by its name
    files.write_bytes(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_a_writer_killed_at_any_moment_leaves_one_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "value.txt"
    moments = random.Random(0)
    for _ in range(5):
        writer = start(
            "for turn in range(10**6):\n"
            "    files.write_bytes(Path(sys.argv[1]), bytes([65 + turn % 26]) * 300_000)\n"
            "    print(turn, flush=True)\n",
            str(path),
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.1))
        writer.kill()
        writer.communicate()
        content = path.read_bytes()
        assert len(content) == 300_000
        assert len(set(content)) == 1


def test_a_reader_never_sees_a_mixture(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    files.write_json(path, [0] * 2000)
    stop = threading.Event()

    def write() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            files.write_json(path, [turn] * 2000)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(100):
        seen = files.read_json(path)
        assert len(seen) == 2000
        assert len(set(seen)) == 1
    stop.set()
    for writer in writers:
        writer.join()
    assert temporaries(tmp_path) == []


def test_of_many_who_make_a_folder_one_wins_and_it_is_whole(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    target = tmp_path / "shards"

    def make(number: int) -> None:
        barrier.wait()
        with files.replacing_folder(target) as temporary:
            (temporary / "inner").mkdir()
            for part in range(5):
                (temporary / "inner" / str(part)).write_text(str(number))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = {path.read_text() for path in (target / "inner").iterdir()}
    assert len(contents) == 1
    assert len(list((target / "inner").iterdir())) == 5
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_was_there_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "shards"
    for content in ("first", "second"):
        with files.replacing_folder(target) as temporary:
            (temporary / "part").write_text(content)
    assert (target / "part").read_text() == "first"


def test_the_canonical_hash_is_that_of_sorted_compact_json() -> None:
    # printf '%s' '{"a":[1,2.5,null,true],"b":"\u00e9"}' | sha256sum
    expected = "c66fca9242300f12718a1c583fc29f33790cbd7c712332cbc99734fd757a0385"
    assert files.canonical_hash({"b": "é", "a": [1, 2.5, None, True]}, length=64) == expected
    assert files.canonical_hash({"a": (1, 2.5, None, True), "b": "é"}) == expected[:12]
    assert files.canonical_hash({"a": [1, 2.5, None, True], "b": "e"}) != expected[:12]
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.canonical_hash(float("inf"))


def test_the_canonical_hash_is_the_same_in_every_process() -> None:
    value = {"z": {"y": 1, "x": [0.1, 1e-9]}, "a": "b"}
    code = f"import json\nprint(files.canonical_hash(json.loads({json.dumps(json.dumps(value))!s})))"
    printed = {start(code).communicate()[0].decode().strip() for _ in range(2)}
    assert printed == {files.canonical_hash(value)}


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-4, example B.1
    assert files.sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
