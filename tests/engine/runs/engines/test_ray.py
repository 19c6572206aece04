"""The engine of Ray, on one Ray of two nodes that is started on this machine for all tests of this file."""

import os
import signal
import sys
import threading

import pytest
import ray
from ray.cluster_utils import Cluster

from engine import jobs
from engine.errors import UnavailableError
from engine.runs import dispatch, drain
from engine.runs.engines import ray as engine_of_ray
from engine.runs.engines import ticket_of
from engine.runs.engines.ray import ENGINE, RaySettings
from tests.engine.jobs.jobs_workspace import until
from tests.engine.runs.engines.conftest import weights

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}


@pytest.fixture(scope="module")
def two_nodes():
    """The cluster, connected to, and its second node."""
    found = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    second = found.add_node(**NODE)
    ray.init(address=found.address, namespace=engine_of_ray.NAMESPACE, log_to_driver=False, logging_level="error")
    yield found, second
    ray.shutdown()
    found.shutdown()


@pytest.fixture
def in_thread(home, light, two_nodes):
    """Have Ray do what waits for it, in a thread."""

    def call():
        thread = threading.Thread(target=dispatch, args=[home, "ray"], kwargs={"until_empty": True})
        thread.start()
        return thread

    return call


def parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def test_the_same_work_gives_the_same_weights_on_this_machine_and_on_ray_when_a_node_dies(
    home, in_thread, fit, two_nodes
):
    """To the last bit: on this machine; on two nodes; and on one of these, killed with all that runs there."""
    here = fit("cpu", "here")
    there = [fit("ray", f"there-{number}", delay=0.1) for number in range(2)]
    drain(home, "cpu", until_empty=True)
    thread = in_thread()
    until(lambda: all((job.folder / "checkpoint.npy").exists() for job in there))
    cluster, second = two_nodes
    on_second = [
        job for job in there if parent(parent(jobs.status(job).pid)) == second.all_processes["raylet"][0].process.pid
    ]
    [lost] = on_second
    before = ticket_of(lost).number
    actor = parent(jobs.status(lost).pid)
    for pid in (jobs.status(lost).pid, actor):  # with power, all of a node goes at once
        os.kill(pid, signal.SIGKILL)
    cluster.remove_node(second, allow_graceful=False)
    thread.join(120)
    assert weights(here) == weights(there[0]) == weights(there[1])
    assert jobs.status(lost).attempts == 2
    assert ticket_of(lost).number != before
    assert ray.util.list_named_actors(all_namespaces=True) == []


def test_a_job_that_is_cancelled_ends_on_ray_too(home, in_thread, fit):
    runs, waits = fit("ray", "runs", delay=0.2), fit("ray", "waits")  # one node is left
    thread = in_thread()
    until(lambda: jobs.status(runs).state == "running")
    for job in (waits, runs):
        jobs.request_cancel(job)
    thread.join(60)
    assert [jobs.status(job).state for job in (runs, waits)] == ["cancelled", "cancelled"]
    assert not (waits.folder / "checkpoint.npy").exists()
    assert ray.util.list_named_actors(all_namespaces=True) == []


def test_without_its_package_it_is_a_sentence(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnavailableError, match=r"pip install 'ray\[default\]'"):
        ENGINE.connect(home, RaySettings())
