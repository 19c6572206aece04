"""An engine that a test adds by this one file: a cluster of processes on this machine, which a test can take apart."""

import os
import signal
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.runs.engines import Assignment, Engine, EngineSettings
from engine.workspace import Workspace


@dataclass(frozen=True)
class ToySettings(EngineSettings):
    """rooms: how many jobs at a time."""

    rooms: int = 2


@dataclass
class ToyCluster:
    """Processes by ticket; what does not fit waits. log: what was asked of it."""

    rooms: int
    every: float = 0.01
    log: list[str] = field(default_factory=list)
    swallows: int = 0  # so many jobs vanish before they begin
    holds: bool = False  # nothing begins
    assignments: dict[str, Assignment] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def among(self) -> int:
        return self.rooms

    def submit(self, assignments: Sequence[Assignment]) -> list[str]:
        tickets = []
        for one in assignments:
            ticket = str(len(self.log))
            self.log.append(f"submit {one.job.id}")
            tickets.append(ticket)
            if self.swallows:
                self.swallows -= 1
            else:
                self.assignments[ticket] = one
        return tickets

    def poll(self, tickets: Collection[str]) -> set[str]:
        self.processes = {ticket: process for ticket, process in self.processes.items() if process.poll() is None}
        for ticket in list(self.assignments):
            if len(self.processes) < self.rooms and not self.holds:
                one = self.assignments.pop(ticket)
                self.processes[ticket] = subprocess.Popen(one.command, env={**os.environ, **one.environment})
        return {ticket for ticket in tickets if ticket in self.processes or ticket in self.assignments}

    def cancel(self, ticket: str) -> None:
        self.log.append(f"cancel {ticket}")
        self.assignments.pop(ticket, None)
        if ticket in self.processes:
            self.processes[ticket].send_signal(signal.SIGTERM)

    def collect(self, ticket: str) -> None:
        self.log.append(f"collect {ticket}")

    def close(self) -> None:
        self.log.append("close")

    def lose_node(self) -> None:
        """All that runs is killed, as when its node loses power."""
        for process in self.processes.values():
            process.kill()
            process.wait()


def toy(**made: Any) -> tuple[Engine, ToyCluster]:
    """The engine, and the cluster that it connects to."""
    cluster = ToyCluster(2, **made)

    def connect(workspace: Workspace, settings: ToySettings) -> ToyCluster:
        cluster.rooms = settings.rooms
        return cluster

    return Engine("toy", "Toy", ToySettings, connect), cluster
