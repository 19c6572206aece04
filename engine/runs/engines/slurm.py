"""SLURM, through submitit: jobs go there as arrays, and SLURM starts them again when it takes their node away."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from engine.errors import UnavailableError
from engine.files import make_folder
from engine.records import Positive
from engine.runs.engines import node
from engine.runs.engines.interface import Assignment, Engine, EngineSettings
from engine.workspace import Workspace

LARGEST_ARRAY = 1000  # jobs; SLURM takes 1,001 unless its administrator says otherwise
ANSWER_WITHIN = 60.0  # s for squeue
# Still in the queue, in the words of squeue; whatever else it says of a job, that has ended.
_THERE = frozenset({"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"})
_ALSO_THERE = frozenset({"SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING", "SPECIAL_EXIT", "RESV_DEL_HOLD"})


@dataclass(frozen=True)
class SlurmSettings(EngineSettings):
    """What a job asks SLURM for, beside what any job asks for.

    partition, account: "" is SLURM's default. minutes: after which SLURM ends a job, which then waits again and goes on
    from its checkpoint, at most `restarts` times. gpus: of a job that computes on a card. at_most: jobs of one
    submission at a time. setup: lines of shell before a job, such as "module load cuda". cluster: "local" tries all of
    it on this machine, without a SLURM.
    """

    partition: str = ""
    account: str = ""
    minutes: Positive = 240
    restarts: Annotated[int, msgspec.Meta(ge=0)] = 20
    gpus: Positive = 1
    at_most: Positive = 16
    setup: tuple[str, ...] = ()
    cluster: Literal["slurm", "local"] = "slurm"


@dataclass
class Slurm:
    """A SLURM as `Cluster`."""

    folder: Path  # of what submitit writes, on the shared file system
    settings: SlurmSettings
    every: float = 5.0
    _here: dict[str, Any] = field(default_factory=dict)  # submitit's jobs by ticket, of the cluster "local"

    def __post_init__(self) -> None:
        self._submitit = _package()
        self.among = self.settings.at_most
        if self.settings.cluster == "local":
            self.every = 0.5

    def submit(self, assignments: Sequence[Assignment]) -> list[str]:
        """As an array for each thousand."""
        found: list[str] = []
        for i in range(0, len(assignments), LARGEST_ARRAY):
            found += self._submit(assignments[i : i + LARGEST_ARRAY])
        return found

    def _submit(self, part: Sequence[Assignment]) -> list[str]:
        commands, environments = [list(one.command) for one in part], [dict(one.environment) for one in part]
        folders = [str(one.job.folder.absolute()) for one in part]
        try:
            sent = self._executor(part[0]).map_array(node.WorkerOnNode(), commands, environments, folders)
        except (RuntimeError, subprocess.SubprocessError, OSError) as error:
            raise UnavailableError(f"SLURM took no job: {_first_line(error)}") from error
        for script in self.folder.glob("*submission*.sh"):  # SLURM has its own copy
            script.unlink(missing_ok=True)
        if self.settings.cluster == "local":
            self._here |= {job.job_id: job for job in sent}
        return [job.job_id for job in sent]

    def _executor(self, like: Assignment) -> Any:
        asked = self.settings
        executor = self._submitit.AutoExecutor(
            make_folder(self.folder), cluster=asked.cluster, slurm_max_num_timeout=asked.restarts
        )
        executor.update_parameters(
            name="distill-workbench",
            timeout_min=asked.minutes,
            cpus_per_task=like.cpus,
            gpus_per_node=asked.gpus if like.on_a_card else 0,
            slurm_array_parallelism=asked.at_most,
            slurm_additional_parameters={"requeue": True},
            **({"mem_gb": asked.memory_gb} if asked.memory_gb else {}),
            **({"slurm_partition": asked.partition} if asked.partition else {}),
            **({"slurm_account": asked.account} if asked.account else {}),
            **({"slurm_setup": list(asked.setup)} if asked.setup else {}),
        )
        return executor

    def poll(self, tickets: Collection[str]) -> set[str]:
        """As squeue lists them. Of a SLURM that does not answer, all are taken to be where they were."""
        if self.settings.cluster == "local":
            return {ticket for ticket in tickets if ticket in self._here and not self._here[ticket].done()}
        command = ["squeue", "--me", "--noheader", "--array", "--format=%i %T"]
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_WITHIN, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return set(tickets)
        listed = dict(line.split(maxsplit=1) for line in said.splitlines() if " " in line)
        return {ticket for ticket in tickets if listed.get(ticket) in _THERE | _ALSO_THERE}

    def cancel(self, ticket: str) -> None:
        """Its worker is told to end, and puts its job back unless that was cancelled."""
        if self.settings.cluster == "local":
            if ticket in self._here:
                self._here[ticket].cancel()
            return
        self._submitit.SlurmJob(self.folder, ticket).cancel(check=False)

    def collect(self, ticket: str) -> None:
        """The files of submitit go; what the worker said is in the log of its job."""
        self._here.pop(ticket, None)
        for path in self.folder.glob(f"{ticket}_*"):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """There is no connection."""


def _connect(workspace: Workspace, settings: SlurmSettings) -> Slurm:
    return Slurm(workspace.engines / "slurm", settings)


def _package() -> Any:
    """submitit, made to send `node` itself and not its name. Raises UnavailableError where it is not installed."""
    try:
        import cloudpickle
        import submitit
    except ImportError as error:
        raise UnavailableError(
            "The engine slurm needs a package that is not installed: pip install submitit."
        ) from error
    cloudpickle.register_pickle_by_value(node)
    return submitit


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200].rstrip(".") + "."


ENGINE = Engine("slurm", "SLURM", SlurmSettings, _connect)
