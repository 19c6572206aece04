import errno
import json
import os
from pathlib import Path

import pytest

from engine.errors import DamagedFileError, StorageError
from engine.jobs import Job, Reporter, create, read_events
from engine.jobs.events import append_event, replace_events
from engine.jobs.states import begin


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return create(tmp_path, "one", kind="count", spec={}, device="cpu")


def reporter(job: Job) -> Reporter:
    running = begin(job, os.getpid())
    assert running is not None
    return Reporter(job, running)


def test_events_come_back_in_order_and_a_poll_gets_only_what_is_new(job: Job) -> None:
    assert read_events(job).events == []
    told = reporter(job)
    told.event(step=1, loss=0.5, text="naïve\nline")
    first = read_events(job)
    assert first.events == [{"step": 1, "loss": 0.5, "text": "naïve\nline"}]
    assert read_events(job, first.offset).events == []
    told.event(step=2)
    second = read_events(job, first.offset)
    assert (second.events, second.restarted) == ([{"step": 2}], False)


def test_a_number_that_is_not_finite_is_null(job: Job) -> None:
    append_event(job, {"loss": float("nan"), "all": [1.0, float("inf")], "by": {"a": float("-inf")}})
    assert read_events(job).events == [{"loss": None, "all": [1.0, None], "by": {"a": None}}]


def test_a_torn_last_line_is_not_read_and_is_cut_before_the_next_event(job: Job) -> None:
    path = job.folder / "events.jsonl"
    path.write_bytes(b'{"step": 0}\n{"step": 1}\n{"st')
    page = read_events(job)
    assert page.events == [{"step": 0}, {"step": 1}]
    assert page.offset == 24
    again = reporter(job)
    assert path.read_bytes() == b'{"step": 0}\n{"step": 1}\n'
    again.event(step=2)
    assert read_events(job, page.offset).events == [{"step": 2}]
    assert path.read_bytes() == b'{"step": 0}\n{"step": 1}\n{"step": 2}\n'


def test_a_line_that_grows_while_it_is_read_is_given_once_it_is_whole(job: Job) -> None:
    path = job.folder / "events.jsonl"
    offset, seen = 0, []
    for byte in b'{"a": 1}\n{"b": 2}\n':
        with path.open("ab") as file:
            file.write(bytes([byte]))
        page = read_events(job, offset)
        offset = page.offset
        seen += page.events
    assert seen == [{"a": 1}, {"b": 2}]


def test_what_lies_after_a_checkpoint_is_cut(job: Job) -> None:
    told = reporter(job)
    for step in range(5):
        told.event(step=step)
    after_five = read_events(job).offset
    told.replace_events([{"step": 0}, {"step": 1}])
    cut = read_events(job, after_five)
    assert (cut.events, cut.restarted) == ([{"step": 0}, {"step": 1}], True)
    told.event(step="again")
    assert [event["step"] for event in read_events(job).events] == [0, 1, "again"]
    replace_events(job, [])
    assert read_events(job, cut.offset).restarted


@pytest.mark.parametrize("content", [None, b"", b'{"step": 0}\n', b"\x00\x00\n\n", b'{"step": 7}\n{"step": 1}\n'])
def test_a_file_that_lost_events_gets_back_those_of_the_checkpoint(job: Job, content: bytes | None) -> None:
    told = reporter(job)
    if content is not None:
        (job.folder / "events.jsonl").write_bytes(content)
    told.replace_events([{"step": 0}, {"step": 1, "loss": 0.5}])
    assert read_events(job).events == [{"step": 0}, {"step": 1, "loss": 0.5}]


def test_a_damaged_line_in_the_middle_is_named(job: Job) -> None:
    (job.folder / "events.jsonl").write_bytes(b'{"step": 0}\n\x00\x00\x00\n{"step": 2}\n')
    with pytest.raises(DamagedFileError, match="byte 12"):
        read_events(job)


def test_a_full_disk_leaves_no_half_event(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    append_event(job, {"step": 0})
    real_write = os.write
    taken: list[int] = []

    def refuse_after_half(descriptor: int, content: bytes) -> int:
        if taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken.append(real_write(descriptor, content[: len(content) // 2]))
        return taken[0]

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse_after_half)
        with pytest.raises(StorageError, match="free some space"):
            append_event(job, {"step": 1})
    assert (job.folder / "events.jsonl").read_bytes() == b'{"step": 0}\n'
    append_event(job, {"step": 1})
    assert [event["step"] for event in read_events(job).events] == [0, 1]


def test_a_partial_write_is_completed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: real_write(descriptor, content[:3]))
    append_event(job, {"step": 12345})
    assert json.loads((job.folder / "events.jsonl").read_text()) == {"step": 12345}
