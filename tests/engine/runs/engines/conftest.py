"""Jobs of tests of engines: small ones that count, whose worker loads no libraries."""

import pytest

from engine import jobs
from engine.runs import dispatching, queue
from engine.runs.engines import ENGINES, register
from tests.engine.jobs import worker_script
from tests.engine.runs.engines import fitting_worker
from tests.engine.runs.engines.toy_engine import toy


@pytest.fixture
def light(monkeypatch):
    """Workers of `worker_script`, and a dispatcher that is in a hurry."""
    monkeypatch.setattr(queue, "worker_command", worker_script.command)
    monkeypatch.setattr(dispatching, "POLL", 0.02)
    monkeypatch.setattr(dispatching, "ENDING", 0.1)
    monkeypatch.setattr(queue, "LOOK_AGAIN", 0.1)


@pytest.fixture
def add(home):
    """Queue a job that counts."""

    def call(lane, name="one", **spec):
        spec = {"steps": 3, "trace": str(home.path / "trace.txt")} | spec
        return jobs.create(home.jobs, name, kind="count", spec=spec, device="cpu", lane=lane)

    return call


@pytest.fixture
def cluster(light):
    """The toy engine, registered, and its cluster."""
    engine, found = toy()
    register(engine)
    yield found
    del ENGINES[engine.key]
    for process in found.processes.values():
        process.kill()
        process.wait()


@pytest.fixture
def fit(home, monkeypatch):
    """Queue a job that trains a little; what it gives is its job. Workers are of `fitting_worker`."""
    monkeypatch.setattr(queue, "worker_command", fitting_worker.command)

    def call(lane, name, **spec):
        return jobs.create(home.jobs, name, kind="fit", spec={"seed": 3} | spec, device="cpu", lane=lane)

    return call


def weights(job):
    """What such a job came to, as bytes."""
    assert jobs.status(job).state == "done", jobs.status(job).message
    return (job.folder / "weights.npy").read_bytes()


def begun(home):
    """The ids of jobs whose workers began, in their order."""
    path = home.path / "trace.txt"
    found = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [job for what, job, _ in found if what == "begin"]
