"""A demo: what a visitor's scratch reads of the base, that nothing it writes gets there, its limits, and its end."""

import io
import json
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import intake, jobs, scratches, tasks
from engine.delivery import PredictSpec, request_prediction
from engine.errors import BusyError, InvalidInputError, QuotaError, StorageError, UnavailableError
from engine.features import FeatureStore
from engine.intake import ImportRequest
from engine.jobs import create
from engine.quotas import check_upload, used_bytes
from engine.review import open_task
from engine.runs import (
    configured,
    go_on,
    list_comparisons,
    pause,
    place_of,
    plan,
    read_run,
    remove_run,
    remove_task,
    start,
)
from engine.settings import demo_settings, import_settings
from engine.tasks import relabel
from engine.tasks.pixel_file import open_pixels
from engine.tasks.task import load_task, write_task
from engine.teachers import TeacherDescription, get_teacher, request_hub, stage
from engine.workspace import Workspace
from tests.app import made_runs

ENGINE = Path(__file__).resolve().parents[2] / "engine"
TEACHER = "imagenet-lite0"
ROWS = np.arange(6)


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    """The host's workspace: two tasks, features, pixels, a comparison that is done and one that is not."""
    home = Workspace(tmp_path_factory.mktemp("demo") / "base")
    task, done = made_runs.planned(home, ["fine-tune"], [0])
    made_runs.finish(home, done)
    start(home, plan(home, task, ["fine-tune"], [1], device="cpu"))
    own = home.tasks / "leaves"
    for path in [path for path in task.folder.rglob("*") if path.is_file()]:
        target = own / path.relative_to(task.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    record = task.record
    given = {"given_labels": record.labels, "given_classes": record.classes, "given_split": record.split}
    write_task(own, replace(record, name="leaves", origin="", reviewed=record.labels, **given))
    outputs = np.full((6, 4), 0.25, np.float16)
    FeatureStore(home, task, get_teacher(home, TEACHER)).write(ROWS, 0, outputs, outputs)
    open_pixels(task, 8, [ROWS])
    home.settings.write_text(json.dumps({"import": {"roots": ["/"]}, "engines": {"slurm": {"minutes": 5}}}))
    return home


@pytest.fixture
def base(lent):
    """The same, with no scratch yet, checked to be as it was when the test has ended."""
    before = content(lent)
    yield lent
    assert content(lent) == before
    for found in scratches.scratches(lent):
        assert scratches.leave(found.workspace)


@pytest.fixture
def visitor(base):
    return scratches.enter(base, "a1")[0]


def content(home):
    """Every file of the host's with what is in it; locks are of processes, and scratches of visitors."""
    apart = (home.scratches, home.locks)
    files = (path for path in home.path.rglob("*") if path.is_file() and path.name != "lock")
    return {path: path.read_bytes() for path in files if not any(folder in path.parents for folder in apart)}


def limit(home, monkeypatch, **values):
    """Let the demo have other limits."""
    monkeypatch.setattr("engine.scratches.demo_settings", lambda _: replace(demo_settings(home), **values))
    monkeypatch.setattr("engine.quotas.demo_settings", lambda _: replace(demo_settings(home), **values))


def test_what_the_base_has_is_read_in_a_scratch(base, visitor):
    assert tasks.task_names(visitor) == tasks.task_names(base)
    for name in ("emoji-fluent", "leaves"):
        assert (open_task(visitor, name).labels == open_task(base, name).labels).all()
        assert open_task(visitor, name).revision == open_task(base, name).revision
    theirs, ours = open_task(visitor, "emoji-fluent"), open_task(base, "emoji-fluent")
    assert (theirs.images.pixels([0, 5], 16, "squash") == ours.images.pixels([0, 5], 16, "squash")).all()
    assert len(FeatureStore(visitor, theirs, get_teacher(visitor, TEACHER)).missing(ROWS, 0)) == 0
    (done,) = [one for one in list_comparisons(base) if read_run(base, one.runs[0]).status.state == "done"]
    assert list_comparisons(visitor) == [done]  # not the one that is under way
    assert read_run(visitor, done.runs[0]).result == read_run(base, done.runs[0]).result
    assert used_bytes(visitor) == 0


def test_a_scratch_finds_its_base_in_another_process(base, visitor, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(visitor.path))
    assert Workspace.from_environment() == visitor == Workspace.of_job(visitor.runs / "x")
    assert visitor.machine == base == base.machine
    assert visitor.settings == base.settings


def test_what_a_visitor_writes_is_seen_by_nobody_else(base, visitor):
    other, _ = scratches.enter(base, "b2")
    changed = relabel(load_task(visitor, "leaves"), {0: "oak"})
    assert "oak" in changed.record.given_classes
    for home in (base, other):
        assert "oak" not in load_task(home, "leaves").record.given_classes
    store = FeatureStore(visitor, open_task(visitor, "emoji-fluent"), get_teacher(visitor, TEACHER))
    outputs = np.full((1, 4), 0.25, np.float16)
    store.write(np.array([99]), 0, outputs, outputs)
    assert len(store.missing(np.array([99]), 0)) == 0
    theirs = FeatureStore(other, open_task(other, "emoji-fluent"), get_teacher(other, TEACHER))
    assert theirs.missing(np.array([99]), 0).tolist() == [99]
    start(visitor, plan(visitor, open_task(visitor, "emoji-fluent"), ["fine-tune"], [5], device="cpu"))
    assert len(jobs.list_jobs(visitor.runs)) == 2
    assert len(jobs.list_jobs(other.runs)) == 1
    assert used_bytes(visitor) > 0 == used_bytes(other)


def test_pixels_are_copied_before_they_are_written_in_place(base, visitor):
    rows = np.arange(20)
    (theirs,) = open_pixels(open_task(visitor, "emoji-fluent"), 8, [rows])
    assert (theirs[slice(0, 6)] == open_pixels(open_task(base, "emoji-fluent"), 8, [ROWS])[0][slice(0, 6)]).all()
    assert theirs[slice(6, 20)].any()
    assert [path.is_symlink() for path in sorted(visitor.pixels.rglob("*.*"))] == [False, False]


def test_only_these_files_are_written_in_place():
    """A link is safe from whoever writes a new file in its place. Whoever writes in place needs `make_own`, or writes
    what no scratch has links to: the locks, logs and events of unfinished jobs.
    """
    found = {path.relative_to(ENGINE).as_posix() for path in ENGINE.rglob("*.py") if IN_PLACE.search(path.read_text())}
    assert found == {
        "files.py",  # what was written under a temporary name is flushed
        "jobs/events.py",  # of a job that runs
        "jobs/queue.py",  # locks, and the log of a job that runs
        "jobs/records.py",  # locks
        "jobs/space.py",  # a flag of a job that runs
        "jobs/worker.py",  # the log of a job that runs
        "tasks/pixel_file.py",  # through make_own
    }


IN_PLACE = re.compile(r'\.truncate\(|O_RDWR|O_APPEND|\bopen\([^)]*"(?:ab?\+?|r\+b?|rb\+)"')


@pytest.mark.parametrize(
    ("remove", "said"),
    [
        (lambda home: remove_task(home, "leaves"), "'leaves' belongs to the demo"),
        (lambda home: remove_run(home, jobs.list_jobs(home.runs)[0]), "belongs to the demo and stays"),
    ],
    ids=["task", "run"],
)
def test_what_belongs_to_the_demo_is_not_removed(visitor, remove, said):
    with pytest.raises(InvalidInputError, match=said):
        remove(visitor)


def test_what_is_the_visitors_own_is_removed(visitor):
    start(visitor, plan(visitor, open_task(visitor, "emoji-fluent"), ["fine-tune"], [5], device="cpu"))
    (own,) = [job for job in jobs.list_jobs(visitor.runs) if "-s5-" in job.id]
    jobs.request_cancel(own)
    remove_run(visitor, own)
    assert len(jobs.list_jobs(visitor.runs)) == 1


@pytest.mark.parametrize(
    "open_door",
    [
        lambda home: intake.check_allowed(home, "/etc/passwd"),
        lambda home: intake.request_import(home, ImportRequest("/etc", "Secrets")),
        lambda home: intake.preview(home, ImportRequest("/etc", "Secrets")),
        lambda home: intake.request_import(home, ImportRequest("torchvision:MNIST", "Digits")),
        lambda home: request_prediction(home, PredictSpec("emoji-fluent", done_run(home), "/etc"), "cpu"),
        lambda home: request_hub(home, "resnet18.a1_in1k", TeacherDescription("ResNet", "imagenet"), None),
        lambda home: stage(home, io.BytesIO(b"weights")),
        pause,
        go_on,
        lambda home: place_of(home, "slurm", None),
    ],
    ids=["path", "import", "preview", "torchvision", "predict", "hub", "checkpoint", "pause", "go on", "cluster"],
)
def test_doors_to_the_server_are_shut(visitor, open_door):
    with pytest.raises(UnavailableError, match="closed in this demo: "):
        open_door(visitor)


def done_run(home):
    """The run that came with the scratch."""
    return jobs.list_jobs(home.runs)[0].id


def test_no_folder_and_no_cluster_of_the_server_is_offered(base, visitor):
    assert import_settings(base).roots == ("/",)
    assert import_settings(visitor).roots == ()
    assert intake.offered_sources(visitor) == []
    assert "slurm" in configured(base)
    assert configured(visitor) == ["local"]


def test_a_visitor_brings_no_more_than_may_be(base, visitor, monkeypatch):
    limit(base, monkeypatch, upload_bytes=100, uploads=2, disk_bytes=9_000)
    with pytest.raises(QuotaError, match="101 bytes are more than the 100 bytes that this demo takes at once"):
        intake.keep_upload(visitor, [("a.png", io.BytesIO(bytes(60))), ("b.png", io.BytesIO(bytes(41)))])
    for name in ("a.png", "b.png"):
        intake.keep_upload(visitor, [(name, io.BytesIO(bytes(100)))])
    with pytest.raises(QuotaError, match="You have brought 2 times, and this demo allows 2"):
        intake.keep_upload(visitor, [("c.png", io.BytesIO(bytes(10)))])
    limit(base, monkeypatch, disk_bytes=8_192)
    with pytest.raises(QuotaError, match=r"holds 8,192 bytes of the 8,192 bytes .+ empty the trash"):
        check_upload(visitor, 1)
    intake.keep_upload(base, [("a.png", io.BytesIO(bytes(101)))])  # the host has none of these limits
    intake.uploads.remove_old_uploads(base, days=0)


def test_a_visitor_has_so_many_jobs_at_once(base, visitor, monkeypatch):
    limit(base, monkeypatch, jobs=2)
    for name in "ab":
        create(visitor.jobs, name, kind="count", spec={}, device="cpu")
    with pytest.raises(QuotaError, match="2 of your jobs wait or run, and this demo allows 2 at once"):
        create(visitor.runs, "c", kind="count", spec={}, device="cpu")
    jobs.request_cancel(jobs.load(visitor.jobs / "a"))
    create(visitor.runs, "c", kind="count", spec={}, device="cpu")
    with pytest.raises(QuotaError, match="2 of your jobs wait or run, and this demo allows 2 at once"):
        jobs.resume(jobs.load(visitor.jobs / "a"))
    assert jobs.status(jobs.load(visitor.jobs / "a")).state == "cancelled"
    jobs.request_cancel(jobs.load(visitor.jobs / "b"))
    assert jobs.resume(jobs.load(visitor.jobs / "a")).state == "queued"


def test_a_comparison_of_more_runs_than_are_allowed_leaves_none_behind(base, visitor, monkeypatch):
    limit(base, monkeypatch, jobs=2)
    before = sorted(path.name for path in visitor.runs.glob("*"))
    with pytest.raises(QuotaError, match="0 of your jobs wait or run, you ask for 3 more, and this demo allows 2"):
        made_runs.planned(visitor, ["fine-tune"], [7, 8, 9])
    assert sorted(path.name for path in visitor.runs.glob("*")) == before


def test_a_visitors_run_is_the_visitors_also_where_the_host_has_one_of_that_name(base, visitor):
    own = create(visitor.runs, "same", kind="count", spec={}, device="cpu")
    theirs = create(base.runs, "same", kind="count", spec={}, device="cpu")  # waits, so no scratch has it
    jobs.request_cancel(own)
    remove_run(visitor, own)
    assert not own.folder.exists()
    jobs.request_cancel(theirs)
    jobs.remove(theirs)


def test_one_scratch_that_cannot_be_tidied_leaves_the_others_tidied(base, monkeypatch):
    first, second = (scratches.enter(base, name)[0] for name in ("a1", "b2"))
    for found in (first, second):
        os.utime(found.path / "visited", (0, 0))
    leave = scratches.leave

    def failing(scratch):
        if scratch.path == first.path:
            raise StorageError("It cannot be moved.")
        return leave(scratch)

    monkeypatch.setattr(scratches, "leave", failing)
    with pytest.raises(StorageError):
        scratches.keep_house(base)
    monkeypatch.undo()
    assert first.path.exists()
    assert not second.path.exists()


def test_a_visitor_comes_back_to_the_same_scratch_and_places_are_counted(base, monkeypatch):
    limit(base, monkeypatch, visitors=1)
    first, new = scratches.enter(base, "a1")
    assert new
    create(first.jobs, "mine", kind="count", spec={}, device="cpu")
    assert scratches.enter(base, "a1") == (first, False)
    assert jobs.load(first.jobs / "mine")
    with pytest.raises(BusyError, match="All 1 places of this demo are taken: come back"):
        scratches.enter(base, "b2")


def test_the_last_place_goes_to_one_visitor_alone(base, monkeypatch):
    limit(base, monkeypatch, visitors=1)
    lay_out, both = scratches._lay_out, threading.Barrier(4)

    def slowly(*folders):
        time.sleep(0.2)  # the others count the places meanwhile
        lay_out(*folders)

    def come(name):
        both.wait()
        try:
            return scratches.enter(base, name)[1]
        except BusyError:
            return None

    monkeypatch.setattr(scratches, "_lay_out", slowly)
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(come, ["a1", "b2", "c3", "d4"]), key=str) == [None, None, None, True]


def test_what_nobody_visits_is_cleared_away_once_its_jobs_have_ended(base, visitor):
    task = open_task(visitor, "emoji-fluent")
    run = start(visitor, plan(visitor, task, ["fine-tune"], [5], device="cpu")).runs[0]
    job = made_runs.half_way(visitor, run)  # this very process counts as its worker
    scratches.keep_house(base)
    assert visitor.path.exists()
    os.utime(visitor.path / "visited", (time.time() - 3601,) * 2)
    scratches.keep_house(base)
    assert jobs.status(job).cancel_requested
    assert visitor.path.exists()
    jobs.states.finish(job, jobs.status(job), "cancelled", None)
    scratches.keep_house(base)
    assert not visitor.path.exists()
    assert scratches.enter(base, "a1")[1]  # the next visit begins anew


@pytest.mark.parametrize(
    ("limits", "said"),
    [({"job_minutes": 0.0001}, "stopped after"), ({"disk_bytes": 1}, "is full")],
    ids=["time", "disk"],
)
def test_a_job_that_takes_too_much_is_stopped_and_its_visitor_told(base, visitor, monkeypatch, limits, said):
    task = open_task(visitor, "emoji-fluent")
    run = start(visitor, plan(visitor, task, ["fine-tune"], [5], device="cpu")).runs[0]
    job = made_runs.half_way(visitor, run)
    jobs.states.keep(job, replace(jobs.status(job), seconds=1.0))
    assert scratches.notice(visitor) == ""
    limit(base, monkeypatch, **limits)
    scratches.keep_house(base)
    assert jobs.status(job).cancel_requested
    assert said in scratches.notice(visitor)
    jobs.states.finish(job, jobs.status(job), "cancelled", None)


def test_what_was_left_half_made_is_removed(base):
    half = base.scratches / ".tmp-123-a1"
    half.mkdir(parents=True)
    os.utime(half, (time.time() - 3601,) * 2)
    scratches.keep_house(base)
    assert not half.exists()


@pytest.fixture
def three(tmp_path):
    """Jobs of three visitors in one lane, in the order in which they were asked for: 3 of one, then 2, then 1."""
    machine = Workspace(tmp_path)
    for visitor, count in (("a", 3), ("b", 2), ("c", 1)):
        for number in range(count):
            create(machine.scratch(visitor).runs, f"{visitor}{number}", kind="count", spec={}, device="cpu")
    return machine


def waiting_in(machine):
    return [job.id for job in jobs.queued_jobs(machine.queued_folders, "cpu")]


def test_visitors_take_turns_and_who_just_had_one_waits_longest(three):
    assert waiting_in(three) == ["a0", "b0", "c0", "a1", "b1", "a2"]
    first = jobs.load(three.scratch("a").runs / "a0")
    jobs.states.begin(first, os.getpid())
    assert waiting_in(three) == ["b0", "c0", "a1", "b1", "a2"]
    jobs.states.finish(first, jobs.status(first), "done", None)
    assert waiting_in(three) == ["b0", "c0", "a1", "b1", "a2"]  # also for whoever looks for the first time
    jobs.put_first(jobs.load(three.scratch("a").runs / "a2"))
    assert waiting_in(three) == ["b0", "c0", "a2", "b1", "a1"]  # a wish counts in one's own line alone


def test_the_lane_of_the_machine_does_the_jobs_of_every_visitor_one_after_the_other(three):
    def refused(job):
        raise UnavailableError("There is no worker in this test.")

    ended = []
    held = jobs.FileLock(three, "cpu")
    assert held.acquire()
    gone_on = threading.Timer(0.1, held.release)  # until then somebody else has the lane, of whichever visitor
    gone_on.start()
    jobs.drain(
        three.scratch("b"), "cpu", refused, until_empty=True, poll=0.01, on_change=lambda job, now: ended.append(job.id)
    )
    gone_on.join()
    assert sorted(ended) == ["a0", "a1", "a2", "b0", "b1", "c0"]
    assert not waiting_in(three)
