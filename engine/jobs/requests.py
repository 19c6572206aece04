"""Asking for work that anybody may ask for again: one spec, one job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.files import canonical_hash
from engine.jobs.records import Job, load
from engine.jobs.states import create, remove, resume, status


def request(
    root: Path, prefix: str, *, kind: str, spec: Mapping[str, Any], device: str, lane: str | None = None
) -> Job:
    """The job of this very spec in the folder `root`: made and queued if it is not there, queued again if it ended and
    its maker asks again (what it made was removed, or it was stopped).

    Raises StorageError if the disk refuses.
    """
    folder = root / f"{prefix}-{canonical_hash([dict(spec), device], 10)}"
    if folder.exists():
        job = load(folder)
        now = status(job)
        if now.state in ("failed", "cancelled", "interrupted"):
            resume(job)
        if now.state != "done":
            return job
        remove(job)  # what it made is gone, or its caller would not ask
    return create(root, folder.name, kind=kind, spec=spec, device=device, lane=lane)
