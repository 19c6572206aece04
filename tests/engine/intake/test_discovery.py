"""Finding what a source holds, in a process of its own that may crash, hang or want too much."""

import json
import os
import signal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.confinement import Confined
from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.intake import Columns, ImportRequest, keep_upload, preview
from engine.intake.discovery import find_images
from engine.settings import ImportSettings
from tests.engine.intake import made_sources as made
from tests.engine.intake.proposing import propose


@pytest.fixture(autouse=True)
def parsed_here():
    """Not here: in the processes that all of this is about."""


@pytest.fixture
def pets(tmp_path):
    return made.zipped(tmp_path / "pets.zip", made.classes_of(4))


@pytest.fixture
def started(monkeypatch):
    """Processes that were started, each sent `started.signal` (0 = none) as soon as it is ready."""

    class Started(list):
        signal = 0

    found = Started()
    start = Confined.start

    def watched(self):
        process = start(self)
        if not found or found[-1] is not process:
            found.append(process)
        if found.signal:
            os.kill(process.pid, found.signal)
        return process

    monkeypatch.setattr(Confined, "start", watched)
    return found


def test_a_source_is_parsed_in_another_process_and_read_there(home, pets, started):
    found = propose(home, str(pets))
    (process,) = started
    assert process.poll() is None
    assert [found.read(item) for item in found.items] == [made.classes_of(4)[item.name] for item in found.items]
    found.close()
    assert process.poll() is not None


@pytest.mark.parametrize("crash", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_over_a_source_is_a_sentence(home, pets, started, crash):
    started.signal = crash
    with pytest.raises(DamagedFileError, match=r"^pets\.zip made the process that reads it crash: .*pack it again"):
        propose(home, str(pets))
    started.signal = 0
    found = propose(home, str(pets))  # and the next one goes well
    assert len(found.items) == 8
    found.close()


def test_a_crash_over_an_upload_names_it_as_the_user_does(home, pets, started):
    with pets.open("rb") as file:
        source = keep_upload(home, [("Grüße.zip", file)])
    started.signal = signal.SIGSEGV
    with pytest.raises(DamagedFileError, match=r"^Grüße\.zip made the process that reads it crash"):
        preview(home, ImportRequest(source, "x"))


def test_a_source_that_takes_too_long_is_a_sentence(home, pets, started):
    started.signal = signal.SIGSTOP
    with pytest.raises(InvalidInputError, match=r"pets\.zip was still being read after 0\.2 s: .* source_seconds"):
        find_images(home, ImportRequest(str(pets), "x"), ImportSettings(source_seconds=0.2))
    assert started[0].poll() is not None


def test_a_source_that_wants_too_much_memory_is_a_sentence(home, tmp_path):
    path = tmp_path / "large.parquet"
    pq.write_table(pa.table({"path": ["x" * 60_000_000]}), path, compression="zstd")
    assert path.stat().st_size < 100_000
    limits = ImportSettings(source_bytes=400_000_000)
    with pytest.raises(DamagedFileError, match=r"large\.parquet .*more memory than is allowed"):
        find_images(home, ImportRequest(str(path), "x"), limits)


def test_a_crash_over_one_image_costs_that_image(home, pets, started):
    found = propose(home, str(pets))
    started.signal = signal.SIGSEGV
    with pytest.raises(DamagedFileError, match=r"cat/0\.jpg made the process that reads it crash"):
        found.read(found.items[0])
    started.signal = 0
    assert found.read(found.items[1]) == made.classes_of(4)[found.items[1].name]
    assert len(started) == 2
    found.close()


def test_a_source_that_crashes_its_reader_again_and_again_is_given_up(home, pets, started):
    found = propose(home, str(pets))
    for item in found.items[:3]:
        started[-1].kill()
        started[-1].wait()
        started.signal = signal.SIGSEGV
        with pytest.raises(DamagedFileError, match="crash"):
            found.read(item)
        started.signal = 0
    count = len(started)
    with pytest.raises(DamagedFileError, match=r"was not read, as pets\.zip made its reader crash repeatedly"):
        found.read(found.items[3])
    assert len(started) == count


def test_refusals_keep_their_kind_and_words(home, tmp_path):
    (tmp_path / "t.csv").write_text("path,label\na.jpg,x\n")
    with pytest.raises(UnknownNameError, match=r"There is no column in t\.csv named 'kind'"):
        propose(home, "", ImportRequest(str(tmp_path / "t.csv"), "x", columns=Columns(label="kind")))


def test_names_that_are_no_text_and_large_numbers_of_labels_come_through(home, tmp_path):
    folder = made.put(tmp_path / "odd", made.classes_of(2))
    os.rename(folder / "cat" / "0.jpg", os.fsencode(folder / "cat") + b"/\xff\xfe.jpg")
    found = propose(home, str(folder))
    on_disk = {path.stat().st_size for path in folder.rglob("*.jpg")}
    assert {len(found.read(item)) for item in found.items} == on_disk
    assert json.dumps([item.name for item in found.items])
    found.close()
