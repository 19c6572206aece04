"""What a run goes on from, and what becomes of a checkpoint, or of events, that were damaged in between."""

import json
import os
import random

import pytest
import torch
from safetensors.torch import save_file

from engine import jobs
from engine.jobs import Reporter, states
from engine.runs import execution
from engine.runs.execution import CHECKPOINT, CURVE_EVENT, _Watched
from engine.training import Checkpoint, Point, TrainSpec, UnfitCheckpointError

TENSORS = {"student.a": torch.arange(3000.0), "momentum.a": torch.ones(3000)}
POINTS = [
    {"step": step, "steps": 9, "images": 80 * step, "seconds": 1.5, "losses": {"labels": 1.0}, "accuracy": 0.5}
    for step in (2, 4)
]


@pytest.fixture
def job(tmp_path):
    return jobs.create(tmp_path, "one", kind="run", spec={}, device="cpu")


@pytest.fixture
def saved(job):
    """A run in the middle of its training, with two points of its curve and a checkpoint."""
    run = watched(job)
    for point in POINTS:
        run.report.event(kind=CURVE_EVENT, **point)
    run.points = list(POINTS)
    run.on_checkpoint(Checkpoint(TENSORS, 5, 2.25))
    run.report.event(kind=CURVE_EVENT, **POINTS[1])  # after the checkpoint: it is told again
    return job.folder / CHECKPOINT


def watched(job):
    running = states.begin(job, os.getpid())
    return _Watched(job, Reporter(job, running), None, None)


def events(job):
    return [{k: v for k, v in event.items() if k != "kind"} for event in jobs.read_events(job).events]


def test_a_whole_checkpoint_is_gone_on_from(job, saved):
    run = watched(job)
    found = run.last_checkpoint()
    assert (found.step, found.seconds, run.points) == (5, 2.25, POINTS)
    assert all(torch.equal(found.tensors[name], value) for name, value in TENSORS.items())
    assert events(job) == POINTS


@pytest.mark.parametrize("flips", [1, 200])
def test_flipped_bytes_are_a_fresh_start_and_never_other_weights(job, saved, flips, capsys):
    content, lot = bytearray(saved.read_bytes()), random.Random(flips)
    for _ in range(flips):
        content[lot.randrange(len(content))] ^= 1 << lot.randrange(8)
    saved.write_bytes(content)
    run = watched(job)
    assert run.last_checkpoint() is None
    assert (run.points, events(job)) == ([], [])
    assert "from the start" in run.stage
    assert "Training begins anew" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\x00\x01\n", None])
def test_events_that_were_lost_come_back_from_the_checkpoint(job, saved, content):
    path = job.folder / "events.jsonl"
    path.unlink() if content is None else path.write_bytes(content)
    assert watched(job).last_checkpoint().step == 5
    assert events(job) == POINTS


@pytest.mark.parametrize("about", ["{}", "[]", "null", '{"step": "5", "seconds": 1, "points": []}', "{" * 5000])
def test_a_checkpoint_that_does_not_say_where_it_stands_is_a_fresh_start(job, saved, about):
    save_file(TENSORS, saved, metadata={"about": about})
    assert watched(job).last_checkpoint() is None


def test_the_checkpoint_of_an_old_version_is_gone_on_from(job, saved):
    about = {"step": 5, "seconds": 2.25, "events": 2, "points": POINTS}
    save_file(TENSORS, saved, metadata={"about": json.dumps(about)})
    assert watched(job).last_checkpoint().step == 5


def test_a_checkpoint_of_another_student_is_a_fresh_start_too(job, saved, monkeypatch):
    tried = []

    def train(spec, objective, data, seed, *, hooks, resume=None, **where):
        tried.append(resume)
        if resume is not None:
            raise UnfitCheckpointError("The checkpoint is not of this student.")
        hooks.on_evaluation(Point(1, 1, 80, 1.0, {}), None)

    monkeypatch.setattr(execution, "train", train)
    run = watched(job)
    monkeypatch.setattr(run, "on_evaluation", lambda point, network: run.points.append(point.step))
    spec = type("Spec", (), {"train": TrainSpec(), "seed": 0, "device": "cpu", "threads": 1})
    execution._train(spec, None, None, run)
    assert [found is None for found in tried] == [False, True]
    assert run.points == [1]
