"""Where queued jobs run: an engine is one file of this folder, and its line of the list here.

`local` is the lanes of this machine. The others hand jobs to a cluster whose nodes share the workspace's file system;
`engine.runs.dispatching` does so, and sees to it that each job comes to its end.
"""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from typing import Any

import msgspec
import torch

from engine import devices
from engine.errors import InvalidInputError, UnknownNameError
from engine.files import read_json
from engine.jobs import Job
from engine.runs.engines.interface import LOCAL, Assignment, Cluster, Engine, EngineSettings
from engine.runs.engines.tickets import Ticket, keep_ticket, ticket_of
from engine.workspace import Workspace

FILES = ("local", "slurm", "ray")  # in the order of every list
ENGINES: dict[str, Engine] = {
    engine.key: engine for engine in (import_module(f"engine.runs.engines.{name}").ENGINE for name in FILES)
}
_WRONG = re.compile(r"(?P<reason>.*?)(?: - at `\$\.(?P<field>[a-z_]+).*`)?", re.DOTALL)
_SIGNS = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}
_KINDS = {"int": "a whole number", "float": "a number", "str": "a text", "array": "a list", "bool": "true or false"}


def register(engine: Engine) -> None:
    """Add an engine as its line in the list would. Raises ValueError for a key that is taken."""
    if engine.key in ENGINES:
        raise ValueError(f"There is an engine {engine.key!r} already.")
    ENGINES[engine.key] = engine


def get_engine(name: str) -> Engine:
    """The engine called `name`. Raises UnknownNameError."""
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    return ENGINES[name]


def engine_of(job: Job) -> Engine:
    """The engine in whose line a job waits or runs."""
    return next((engine for engine in ENGINES.values() if engine.lane == job.lane), ENGINES[LOCAL])


def configured(workspace: Workspace) -> list[str]:
    """The engines to choose from: `local`, and those that settings.json names. Raises as `engine_settings`."""
    section = _section(workspace)
    for name in section:
        get_engine(name)
    return [key for key in ENGINES if key == LOCAL or key in section]


def engine_settings(workspace: Workspace, name: str) -> EngineSettings:
    """The settings under "engines" in settings.json of the workspace, or the defaults where it says nothing.

    Raises UnknownNameError for an engine or a setting that does not exist, UnavailableError for a cluster if a visitor
    of a demo asks, InvalidInputError for a value that cannot
    be, DamagedFileError for a file that is no JSON.
    """
    engine = get_engine(name)
    if engine.key != LOCAL:
        workspace.refuse_visitors(f"Handing work to {engine.title}", "choose this machine")
    values = _section(workspace).get(engine.key, {})
    if not isinstance(values, dict):
        raise InvalidInputError(f"{workspace.settings}: engines.{name} is {values!r}: write its settings in braces.")
    known = [field.name for field in fields(engine.settings)]
    if unknown := sorted(set(values) - set(known)):
        raise UnknownNameError(f"setting of the engine {name}", unknown[0], known)
    try:
        return msgspec.convert(values, engine.settings)
    except msgspec.ValidationError as error:
        found = _WRONG.fullmatch(str(error))
        field = (found and found["field"]) or ""
        reason = re.sub("`([a-z]+)`", lambda word: _KINDS.get(word[1], word[1]), found["reason"] if found else "")
        for sign, words in _SIGNS.items():
            reason = reason.replace(f" {sign} ", f" {words} ")
        raise InvalidInputError(
            f"{workspace.settings}: the setting engines.{name}.{field} is {values.get(field)!r}: {reason[:1].lower()}"
            f"{reason[1:]}."
        ) from error


def place_of(workspace: Workspace, name: str, device: str | None) -> tuple[str, int]:
    """On which device an engine's jobs compute, and with how many threads of a CPU.

    device: as it was asked for; None or "auto" for what the settings say, or else for the best of this machine. A
    cluster may have cards that this machine lacks. Raises as `engine_settings`, and as `engine.devices.resolve`.
    """
    if get_engine(name).connect is None:
        return devices.resolve(device), torch.get_num_threads()
    settings = engine_settings(workspace, name)
    asked = settings.device if device in (None, "", "auto") else device
    if asked and asked not in ("cuda", "cpu"):
        raise InvalidInputError(f"--device {asked}: the engine {name} gives a job cuda or cpu, and chooses the card.")
    return asked or devices.kind(devices.resolve(None)), settings.cpus or torch.get_num_threads()


def where(job: Job) -> str:
    """Where a job runs or waits when that is not this machine: "SLURM job 41_3"; empty for one of this machine."""
    engine, ticket = engine_of(job), ticket_of(job)
    if engine.lane is None:
        return ""
    return f"{engine.title} job {ticket.number}" if ticket and ticket.engine == engine.key else engine.title


def _section(workspace: Workspace) -> dict[str, Any]:
    if workspace.base is not None:  # visitors of a demo take turns on this machine
        return {}
    value = read_json(workspace.settings) if workspace.settings.exists() else {}
    section = value.get("engines", {}) if isinstance(value, dict) else None
    if not isinstance(section, dict):
        raise InvalidInputError(
            f'{workspace.settings}: write engines as {{"engines": {{"slurm": {{"minutes": 240}}}}}}.'
        )
    return section


__all__ = [
    "LOCAL",
    "Assignment",
    "Cluster",
    "Engine",
    "EngineSettings",
    "Ticket",
    "engine_settings",
    "get_engine",
    "keep_ticket",
    "place_of",
    "ticket_of",
]
