"""Precision "auto": measured once for a student on a card, and kept by a run that goes on."""

import threading
from types import SimpleNamespace

import pytest

from engine.jobs import FileLock, create
from engine.methods import get_method
from engine.runs import quickest as module
from engine.runs.quickest import arithmetic_of_run, quickest
from engine.training import Arithmetic, TrainSpec
from engine.training.arithmetic import QUICK
from tests.cards import made_up_cards

AUTO = TrainSpec(precision="auto")
BEST = QUICK[3]
REPORT = SimpleNamespace(check_cancelled=lambda: None)


@pytest.fixture
def measured(monkeypatch):
    """A card on which the last way is the quickest; what was measured, in order."""
    made_up_cards(monkeypatch, 1)
    found = []

    def rate(spec, objective, device, **how):
        found.append((spec.images_per_step, spec.size, how["arithmetic"]))
        return 100.0 * len(found)

    monkeypatch.setattr(module, "images_per_second", rate)
    return found


def job_of(home, name):
    return create(home.runs, name, kind="run", spec={}, device="cuda")


def test_a_cpu_and_a_spec_that_says_it_measure_nothing(home, measured):
    assert quickest(home, AUTO, "cpu", REPORT.check_cancelled) == Arithmetic()
    job = job_of(home, "said")
    assert arithmetic_of_run(home, job, TrainSpec(), "cuda", REPORT) == Arithmetic()
    assert arithmetic_of_run(home, job, TrainSpec(precision="bf16"), "cuda", REPORT) == Arithmetic("bf16")
    assert measured == []
    assert not (job.folder / module.ARITHMETIC).exists()


def test_it_is_measured_once_for_a_student_whichever_method_trains_it(home, measured):
    trains = [get_method(name).recipe({"precision": "auto"}).train for name in ("fine-tune", "fixmatch")]
    assert [quickest(home, train, "cuda", REPORT.check_cancelled) for train in trains] == [BEST] * 2
    assert measured == [(80, 64, way) for way in QUICK]
    quickest(home, TrainSpec(precision="auto", size=128), "cuda", REPORT.check_cancelled)
    assert len(measured) == 8


def test_a_run_goes_on_as_it_began_whatever_is_measured_later(home, measured):
    job = job_of(home, "resumed")
    assert arithmetic_of_run(home, job, AUTO, "cuda", REPORT) == BEST
    for path in home.speeds.iterdir():
        path.unlink()
    assert arithmetic_of_run(home, job, AUTO, "cuda", REPORT) == BEST
    assert len(measured) == 4


def test_two_runs_that_begin_at_once_compute_alike(home, measured, monkeypatch):
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.01)
    first = FileLock(home, module._path(home, AUTO, "cuda").stem)
    assert first.acquire()
    waited, found = threading.Event(), []
    second = threading.Thread(target=lambda: found.append(quickest(home, AUTO, "cuda", waited.set)))
    second.start()
    assert waited.wait(10)
    assert (found, measured) == ([], [])
    first.release()
    second.join()
    assert found == [BEST]
    assert quickest(home, AUTO, "cuda", REPORT.check_cancelled) == BEST
    assert len(measured) == 4
