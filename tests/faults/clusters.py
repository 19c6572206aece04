"""The same comparison on this machine, on a SLURM of two nodes and on Ray; a SLURM that loses a node while jobs run.

`python -m tests.faults.clusters`. The SLURM is one of Debian's packages (`apt-get install slurmctld slurmd munge`),
started in a temporary folder, for which this must be root; without it, submitit's executor for one machine takes its
place, and a line says so. What is asked for: the same weights to the last bit, and nothing lost.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import compare, jobs
from engine.files import write_json
from engine.installation import importing
from engine.runs import dispatch, queue
from engine.tensors import all_tensors, reading_tensors
from engine.workspace import Workspace
from tests.engine.runs.engines import fitting_worker

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
ALSO_IN = ("/usr/sbin", "/sbin")  # where Debian has the daemons, whatever the path of the user says
NODES = ("n0", "n1")
NODE_TIMEOUT = 10  # s of silence after which SLURM gives a node up
TINY: dict[str, Any] = {
    "seeds": (0,),
    "labels_per_class": 2,
    "device": "cpu",
    "architecture": "mobilenetv3_small_050",
    "start": "random",
    "size": 32,
    "images": 640,
    "evaluations": 2,
    "threads": 1,
}
METHODS = ("fine-tune", "fixmatch")


def missing() -> str | None:
    """Why no SLURM can be started here; None if one can."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *ALSO_IN])
    lacking = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if lacking:
        return f"{', '.join(lacking)} not found (apt-get install slurmctld slurmd munge)"
    return None if os.geteuid() == 0 else "only root can start one"


def configuration(folder: Path) -> str:
    """slurm.conf of a cluster of two nodes, both on this machine."""
    name, port = socket.gethostname().partition(".")[0], 16817
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={name} NodeAddr=127.0.0.1 Port={port + 1 + i} CPUs=1 State=UNKNOWN"
        for i, node in enumerate(NODES)
    )
    return f"""ClusterName=trial
SlurmctldHost={name}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdTimeout={NODE_TIMEOUT}
ReturnToService=2
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
KillWait=5
{nodes}
PartitionName=all Nodes={",".join(NODES)} Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A SLURM of two nodes; gives the daemon of each."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as temporary:
        folder, started = Path(temporary), list[subprocess.Popen[bytes]]()
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), *ALSO_IN])
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        for name in ("state", "munge", *(f"spool-{node}" for node in NODES)):
            (folder / name).mkdir(mode=0o700)
        folder.chmod(0o755)
        (folder / "munge").chmod(0o755)
        (folder / "munge" / "key").write_bytes(os.urandom(1024))
        (folder / "munge" / "key").chmod(0o400)
        (folder / "slurm.conf").write_text(configuration(folder))

        def start(*command: str) -> subprocess.Popen[bytes]:
            with (folder / "said.log").open("ab") as log:
                started.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
            return started[-1]

        own = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        start("munged", "--foreground", "--force", *(f"--{k}={folder / 'munge' / v}" for k, v in own.items()))
        until((folder / "munge" / "socket").exists, 10)
        try:
            start("slurmctld", "-D")
            daemons = {node: start("slurmd", "-D", "-N", node) for node in NODES}
            until(lambda: said("sinfo", "--noheader", "--format=%D %t").split() == [str(len(NODES)), "idle"], 60)
            yield daemons
        finally:
            for process in reversed(started):
                process.terminate()
            for process in reversed(started):
                process.wait(30)
            del os.environ["SLURM_CONF"]


def said(*command: str) -> str:
    """What a program prints; empty if it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def until(condition: Any, seconds: float) -> None:
    """Wait for something. Raises TimeoutError."""
    latest = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > latest:
            raise TimeoutError(f"waited {seconds:.0f} s in vain")
        time.sleep(0.1)


def configured(folder: Path, cluster: str) -> Workspace:
    """A workspace whose SLURM is `cluster`."""
    home = Workspace(folder)
    folder.mkdir()
    slurm_settings = {"minutes": 30, "cpus": 1, "cluster": cluster}
    write_json(home.settings, {"engines": {"slurm": slurm_settings, "ray": {"cpus": 1}}})
    return home


def compared(folder: Path, engine: str, cluster: str) -> dict[str, bytes]:
    """The weights of a tiny comparison, one after the other as bytes, by run."""
    home = configured(folder, cluster)
    document = compare(home, "emoji-fluent", METHODS, engine=engine, progress=False, **TINY)
    if document["failed"]:
        raise RuntimeError(f"on {engine}: {document['failed']}")
    found = {}
    for run in sorted(home.runs.iterdir()):
        with reading_tensors(run / "student.safetensors", "np") as file:
            found[run.name] = b"".join(value.tobytes() for _, value in sorted(all_tensors(file).items()))
    return found


def lose_a_node(folder: Path, daemons: dict[str, subprocess.Popen[bytes]]) -> tuple[int, int]:
    """Jobs on both nodes, one node killed with all that runs there: how many are lost, and how many began again."""
    home = configured(folder, "slurm")
    queue.worker_command = fitting_worker.command

    def add(lane: str, name: str, delay: float) -> jobs.Job:
        spec = {"seed": 3, "delay": delay}
        return jobs.create(home.jobs, name, kind="fit", spec=spec, device="cpu", lane=lane)

    alone, found = add("cpu", "alone", 0.0), [add("slurm", f"job-{i}", 0.5) for i in range(3)]
    subprocess.run(fitting_worker.command(alone), check=True)
    thread = threading.Thread(target=dispatch, args=[home, "slurm"], kwargs={"until_empty": True})
    thread.start()
    until(lambda: sum((job.folder / "checkpoint.npy").exists() for job in found) == len(NODES), 60)
    end_node(daemons["n1"])
    thread.join(300)
    wanted = (alone.folder / "weights.npy").read_bytes()
    results = [job.folder / "weights.npy" for job in found]
    lost = sum(not path.exists() or path.read_bytes() != wanted for path in results)
    return lost, sum(jobs.status(job).attempts > 1 for job in found)


def end_node(daemon: subprocess.Popen[bytes]) -> None:
    """Kill a node's daemon, its job steps, and all that they started: what a power cut does."""
    family, all_processes = {daemon.pid}, dict[int, int]()
    for line in said("ps", "-eo", "pid=,ppid=").splitlines():
        pid, parent = map(int, line.split())
        all_processes[pid] = parent
    steps = [int(pid) for pid in said("squeue", "--noheader", f"--nodelist={NODES[1]}", "--format=%A").split()]
    for step in steps:
        family |= {int(pid) for pid in said("pgrep", "-f", rf"slurmstepd: \[{step}\.").split()}
    while more := {pid for pid, parent in all_processes.items() if parent in family} - family:
        family |= more
    for pid in family:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def main() -> int:
    """Print what came of it; 1 if anything was lost or differs."""
    os.environ.update(importing())
    why_not = missing()
    with tempfile.TemporaryDirectory(prefix="clusters-") as temporary:
        folder = Path(temporary)
        here = compared(folder / "local", "local", "local")
        on_ray = compared(folder / "ray", "ray", "local")
        if why_not:
            print(f"NO SLURM: {why_not}. submitit's executor for one machine takes its place.", file=sys.stderr)
            on_slurm, lost = compared(folder / "slurm", "slurm", "local"), (0, 0)
        else:
            with slurm() as daemons:
                on_slurm = compared(folder / "slurm", "slurm", "slurm")
                lost = lose_a_node(folder / "node", daemons)
    wrong = sum(here != found for found in (on_slurm, on_ray))
    print(f"{len(here)} runs on this machine, on {'submitit alone' if why_not else 'SLURM'} and on Ray")
    print(f"engines whose weights differ: {wrong}")
    said_lost = "not tried" if why_not else f"{lost[0]} of 3 ({lost[1]} began again on the other node)"
    print(f"jobs lost with a node of SLURM: {said_lost}")
    return 1 if wrong or lost[0] else 0


if __name__ == "__main__":
    sys.exit(main())
