"""Ray: each job is an actor of its own, which outlives the process that handed it over."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from engine.errors import UnavailableError
from engine.runs.engines import node
from engine.runs.engines.interface import Assignment, Engine, EngineSettings
from engine.workspace import Workspace

NAMESPACE = "distill-workbench"  # of the actors' names
ON_THIS_MACHINE = "local"  # Ray's own word for a cluster that it starts for this process
MOST_SHARES = 64  # parts that an extraction is divided into, however many nodes there are


@dataclass(frozen=True)
class RaySettings(EngineSettings):
    """What a job asks Ray for, beside what any job asks for.

    address: of the cluster, such as "10.0.0.5:6379" or "auto" for the one that runs on this machine; "" starts one
    here for as long as it is needed. gpus: of a job that computes on a card; 0.5 puts two on one.
    """

    address: str = ""
    gpus: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0


class RayCluster:
    """A Ray cluster as `Cluster`."""

    every = 1.0

    def __init__(self, settings: RaySettings) -> None:
        self._settings, self._ray = settings, _package()
        self._started = not self._ray.is_initialized()
        if self._started:
            self._connect()
        there = self._ray.cluster_resources()
        self.among = max(1, min(MOST_SHARES, int(there.get("CPU", 1) // (settings.cpus or 1))))

    def _connect(self) -> None:
        address = self._settings.address or ON_THIS_MACHINE
        here = {"include_dashboard": False} if address == ON_THIS_MACHINE else {}
        try:
            self._ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="error", **here)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            said = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200].rstrip(".")
            raise UnavailableError(
                f"The Ray cluster at {address!r} does not answer ({said}): start it, or set engines.ray.address."
            ) from error

    def submit(self, assignments: Sequence[Assignment]) -> list[str]:
        """As an actor each, which Ray starts as soon as a node has room for it."""
        actor, tickets = self._ray.remote(node.Actor), []
        for one in assignments:
            ticket = f"{one.job.id[:60]}-{uuid.uuid4().hex[:8]}"
            memory = self._settings.memory_gb
            actor.options(
                name=ticket,
                namespace=NAMESPACE,
                lifetime="detached",
                num_cpus=one.cpus,
                num_gpus=self._settings.gpus if one.on_a_card else 0,
                **({"memory": int(memory * 1e9)} if memory else {}),
            ).remote(list(one.command), dict(one.environment), str(one.job.folder.absolute()))
            tickets.append(ticket)
        return tickets

    def poll(self, tickets: Collection[str]) -> set[str]:
        """As Ray lists its actors by name."""
        try:
            listed = self._ray.util.list_named_actors(all_namespaces=True)
        except (self._ray.exceptions.RayError, ConnectionError, RuntimeError) as error:
            raise UnavailableError(f"The Ray cluster does not answer: {error}") from error
        return {one["name"] for one in listed if one["namespace"] == NAMESPACE} & set(tickets)

    def cancel(self, ticket: str) -> None:
        """The actor is killed; its worker notices, and puts its job back unless that was cancelled."""
        try:
            self._ray.kill(self._ray.get_actor(ticket, namespace=NAMESPACE))
        except (ValueError, self._ray.exceptions.RayError):  # there is none of that name any more
            return

    def collect(self, ticket: str) -> None:
        """Ray leaves nothing of an actor that has ended."""

    def close(self) -> None:
        """A Ray that was started for this process ends, and its workers put their jobs back."""
        if self._started:
            self._ray.shutdown()


def _connect(workspace: Workspace, settings: RaySettings) -> RayCluster:
    return RayCluster(settings)


def _package() -> Any:
    """Ray, made to send `node` itself and not its name. Raises UnavailableError where it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise UnavailableError(
            "The engine ray needs a package that is not installed: pip install 'ray[default]'."
        ) from error
    ray.cloudpickle.register_pickle_by_value(node)
    return ray


ENGINE = Engine("ray", "Ray", RaySettings, _connect)
