"""What an engine is: where queued jobs run. The lanes of this machine need only a name; a cluster has four verbs.

All engines share the job folders, which lie where every node can read and write them, and the command of a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import msgspec

from engine.jobs import Job
from engine.records import Positive
from engine.workspace import Workspace

LOCAL = "local"  # the engine that there always is


@dataclass(frozen=True)
class Assignment:
    """A job as it is handed to a cluster: the command line of its worker, and what that finds in its environment.

    cpus: as many processors as it has threads. on_a_card: whether it computes on a GPU.
    """

    job: Job
    command: Sequence[str]
    environment: Mapping[str, str]
    cpus: int
    on_a_card: bool


class Cluster(Protocol):
    """Machines that do what they are handed. All raise UnavailableError if the cluster does not answer.

    every: s between two polls. among: how many jobs it may do at a time, about.
    """

    every: float
    among: int

    def submit(self, assignments: Sequence[Assignment]) -> list[str]:
        """Hand over jobs that take up the same; for each a ticket, by which it is known there."""

    def poll(self, tickets: Collection[str]) -> set[str]:
        """Those of the tickets that still wait or run there. What became of the others is for their jobs to say."""

    def cancel(self, ticket: str) -> None:
        """Take it from the cluster, whether it waits or runs; nothing if it is there no more."""

    def collect(self, ticket: str) -> None:
        """Clear away what the cluster left of one that is there no more."""

    def close(self) -> None:
        """Let go of the cluster; what runs there goes on, unless the cluster was started for this process."""


@dataclass(frozen=True)
class EngineSettings:
    """What one job takes up, on any cluster.

    device: "cuda" or "cpu"; "" is what this machine has. cpus: processors of a job, and threads of a run's PyTorch;
    None is as many threads as on this machine, for the same results to the last bit. memory_gb: None asks for none.
    """

    device: Literal["", "cuda", "cpu"] = ""
    cpus: Positive | None = None
    memory_gb: Annotated[float, msgspec.Meta(gt=0)] | None = None


@dataclass(frozen=True)
class Engine:
    """Where queued jobs run.

    key: as `--engine` takes it, and as settings.json names it. settings: what can be set, with defaults.
    connect: gives the cluster, or raises UnavailableError; None for the lanes of this machine.
    """

    key: str
    title: str
    settings: type[EngineSettings] = EngineSettings
    connect: Callable[[Workspace, Any], Cluster] | None = None

    @property
    def lane(self) -> str | None:
        """The lane in which jobs wait for it; None where each waits in that of its device."""
        return None if self.connect is None else self.key
