"""The engine of SLURM, with submitit's executor for one machine: what it is told, and jobs that really run.

`make faults` runs it on a SLURM of Debian's packages, where it may install one (tests/faults/clusters.py).
"""

import os
import signal
import subprocess
import sys
import threading
import warnings
from types import SimpleNamespace

import pytest

from engine import jobs
from engine.errors import UnavailableError
from engine.files import write_json
from engine.runs.dispatching import dispatch
from engine.runs.engines import ticket_of
from engine.runs.engines.slurm import ENGINE, Slurm, SlurmSettings
from tests.engine.jobs.jobs_workspace import until
from tests.engine.runs.engines.conftest import begun


@pytest.fixture
def here(home, light):
    """Settings that try SLURM's engine on this machine."""
    write_json(home.settings, {"engines": {"slurm": {"cluster": "local", "minutes": 60}}})
    warnings.warn("No SLURM here, but submitit's executor for one machine; `make faults` starts a SLURM.", stacklevel=1)


def test_jobs_run_and_leave_nothing_behind(home, here, add):
    job = add("slurm")
    dispatch(home, "slurm", until_empty=True)
    assert (jobs.status(job).state, begun(home)) == ("done", ["one"])
    assert list((home.engines / "slurm").iterdir()) == []


def test_a_job_that_slurm_takes_its_node_from_goes_on_from_its_checkpoint(home, here, add):
    job = add("slurm", steps=40, delay=0.02)
    thread = threading.Thread(target=dispatch, args=[home, "slurm"], kwargs={"until_empty": True})
    thread.start()
    until((job.folder / "checkpoint.json").exists)
    controller = int(ticket_of(job).number)
    [task] = map(int, subprocess.check_output(["pgrep", "-P", str(controller)]).split())
    os.kill(task, signal.SIGUSR2)  # as SLURM warns 90 s before a job's time is over, and on preemption
    thread.join(60)
    status = jobs.status(job)
    assert (status.state, begun(home)) == ("done", ["one", "one"])
    assert status.attempts == 1, "to be put back does not count as an attempt"
    assert [event["step"] for event in jobs.read_events(job).events] == list(range(40))
    assert ticket_of(job).number == str(controller), "it was SLURM that started it again"


def test_what_submitit_is_told(home, add, monkeypatch):
    """The text of the batch file that SLURM would get."""
    from submitit.slurm import slurm as of_submitit

    texts = []
    monkeypatch.setattr(of_submitit.SlurmExecutor, "affinity", classmethod(lambda cls: 2))
    monkeypatch.setattr(
        of_submitit.SlurmExecutor,
        "_submit_command",
        lambda self, command: (
            texts.append(self._make_submission_file_text(command, "x"))
            or of_submitit.SlurmJob(folder=self.folder, job_id="7", tasks=[0])
        ),
    )
    settings = SlurmSettings(partition="gpu", minutes=90, memory_gb=8, at_most=1, setup=("module load cuda",))
    found = [
        SimpleNamespace(job=add("slurm", name), command=["true"], environment={}, cpus=4, on_a_card=True)
        for name in "ab"
    ]
    assert Slurm(home.engines / "slurm", settings).submit(found) == ["7_0", "7_1"]
    said = texts[0].splitlines()
    for line in ("partition=gpu", "time=90", "mem=8GB", "cpus-per-task=4", "gpus-per-node=1", "array=0-1%1", "requeue"):
        assert f"#SBATCH --{line}" in said, line
    assert "#SBATCH --signal=USR2@90" in said
    assert said.index("module load cuda") < next(i for i, line in enumerate(said) if line.startswith("srun"))


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ("7_0 RUNNING\n7_1 PENDING\n7_2 COMPLETED\n8 RUNNING\n", {"7_0", "7_1"}),
        ("7_0 NODE_FAIL\n7_1 REQUEUED\n", {"7_1"}),
        (None, {"7_0", "7_1", "7_2"}),
    ],
)
def test_what_squeue_says(home, monkeypatch, said, there):
    """A SLURM that does not answer has lost nothing."""

    def run(command, **how):
        if said is None:
            raise subprocess.CalledProcessError(1, command)
        return SimpleNamespace(stdout=said)

    monkeypatch.setattr(subprocess, "run", run)
    assert Slurm(home.engines / "slurm", SlurmSettings()).poll(["7_0", "7_1", "7_2"]) == there


def test_without_slurm_it_is_a_sentence(home, add, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnavailableError, match=r"^SLURM took no job: .*srun"):
        Slurm(home.engines / "slurm", SlurmSettings()).submit(
            [SimpleNamespace(job=add("slurm"), command=["true"], environment={}, cpus=1, on_a_card=False)]
        )


def test_without_its_package_it_is_a_sentence(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UnavailableError, match="pip install submitit"):
        ENGINE.connect(home, SlurmSettings())
