import json
import threading
from pathlib import Path

import pytest

from engine.errors import BusyError, DamagedFileError, InvalidInputError
from engine.jobs import (
    Job,
    create,
    list_jobs,
    load,
    queued_jobs,
    remove,
    request_cancel,
    resume,
    status,
)


def add(root: Path, name: str = "one", device: str = "cpu", lane: str | None = None) -> Job:
    return create(root, name, kind="count", spec={"steps": 3}, device=device, lane=lane)


def test_a_new_job_is_queued_and_reads_back_as_it_was_asked_for(tmp_path: Path) -> None:
    job = add(tmp_path)
    assert load(tmp_path / "one") == job
    assert (job.id, job.kind, job.device, dict(job.spec)) == ("one", "count", "cpu", {"steps": 3})
    now = status(job)
    assert (now.state, now.created, now.attempts, now.terminal) == ("queued", job.created, 0, False)
    assert json.loads((job.folder / "job.json").read_text())["id"] == "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]


@pytest.mark.parametrize("name", ["", "../one", "a/b", ".hidden", "a b", "x" * 200, "ä"])
def test_an_id_must_be_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot name a job"):
        add(tmp_path, name)


def test_an_id_is_given_once(tmp_path: Path) -> None:
    first = add(tmp_path)
    with pytest.raises(InvalidInputError, match="already a job named 'one'"):
        create(tmp_path, "one", kind="other", spec={}, device="cpu")
    assert load(tmp_path / "one") == first


def test_of_many_who_create_the_same_id_at_once_one_succeeds(tmp_path: Path) -> None:
    won: list[Job] = []
    barrier = threading.Barrier(8)

    def compete(number: int) -> None:
        barrier.wait()
        try:
            won.append(create(tmp_path, "one", kind=f"kind-{number}", spec={}, device="cpu"))
        except InvalidInputError:
            return

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert load(tmp_path / "one") == won[0]
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_the_list_is_newest_first_and_leaves_out_temporary_and_damaged_folders(tmp_path: Path) -> None:
    assert list_jobs(tmp_path / "nowhere") == []
    jobs = [add(tmp_path, name) for name in ("b", "c", "a")]
    (tmp_path / ".tmp-123-half").mkdir()
    (tmp_path / "a file").write_text("not a folder")
    (tmp_path / "empty").mkdir()
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "job.json").write_text('{"id": "to')
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "job.json").write_text('["not", "a", "job"]')
    assert list_jobs(tmp_path) == jobs[::-1]
    with pytest.raises(DamagedFileError, match=r"torn/job\.json is damaged, and with it what was asked for as torn"):
        load(torn)
    with pytest.raises(DamagedFileError, match=r"Expected object, got array.*remove its folder"):
        load(wrong)
    with pytest.raises(InvalidInputError, match="There is no job"):
        load(tmp_path / "empty")


@pytest.mark.parametrize(
    "content",
    [b"", b'{"state": "runn', b"[]", b"\x00\xff\x00", b'{"state": "flying"}', b'{"state": "queued"}', b"null"],
)
def test_a_damaged_status_is_a_sentence_and_can_be_resumed(tmp_path: Path, content: bytes) -> None:
    job = add(tmp_path)
    (job.folder / "status.json").write_bytes(content)
    now = status(job)
    assert now.state == "failed"
    assert now.message is not None
    assert "status.json" in now.message
    assert "resum" in now.message.lower()
    assert list_jobs(tmp_path) == [job]
    assert queued_jobs([tmp_path], "cpu") == []
    assert resume(job).state == "queued"
    assert status(job).state == "queued"


def test_a_status_of_the_wrong_types_is_damaged(tmp_path: Path) -> None:
    job = add(tmp_path)
    path = job.folder / "status.json"
    record = json.loads(path.read_text())
    for name, value in [("done", "three"), ("queued", "yesterday"), ("heartbeat", "2025-01-01T00:00:00"), ("rate", [])]:
        path.write_text(json.dumps(record | {name: value}))
        assert status(job).state == "failed", name
    path.write_text(json.dumps(record))
    assert status(job).state == "queued"
    path.unlink()
    assert "is gone" in (status(job).message or "")


def test_the_queue_is_oldest_first_over_all_roots_and_of_one_lane(tmp_path: Path) -> None:
    roots = [tmp_path / "jobs", tmp_path / "runs"]
    first, second = add(roots[1], "z"), add(roots[0], "a")
    elsewhere, short = add(roots[0], "b", device="cuda"), add(roots[0], "d", lane="interactive")
    third = add(roots[1], "c")
    assert queued_jobs(roots, "cpu") == [first, second, third]
    assert queued_jobs(roots, "cuda:0") == [elsewhere]
    assert (queued_jobs(roots, "interactive"), short.device) == ([short], "cpu")
    request_cancel(second)
    assert queued_jobs(roots, "cpu") == [first, third]
    resume(second)  # at the end of the queue
    assert queued_jobs(roots, "cpu") == [first, third, second]


def test_a_queued_job_is_cancelled_at_once_and_may_be_resumed_or_removed(tmp_path: Path) -> None:
    job = add(tmp_path)
    with pytest.raises(BusyError, match="cancel it first"):
        remove(job)
    now = request_cancel(job)
    assert (now.state, now.message) == ("cancelled", "It was cancelled; it can be resumed.")
    assert request_cancel(job) == now
    assert resume(job).state == "queued"
    assert resume(job).state == "queued"
    request_cancel(job)
    remove(job)
    assert list(tmp_path.iterdir()) == []
    for change in (request_cancel, resume, remove):
        with pytest.raises(InvalidInputError, match="was removed"):
            change(job)
    assert not job.folder.exists()
    assert status(job).state == "failed"


def test_two_folders_with_a_copied_record_are_two_jobs(tmp_path: Path) -> None:
    job = add(tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("job.json", "status.json"):
        (copy / name).write_bytes((job.folder / name).read_bytes())
    assert {found.id for found in list_jobs(tmp_path)} == {"one", "copy"}
