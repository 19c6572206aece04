"""Files of Hugging Face's hub: from a folder that somebody copied, from the hub's cache, or from the internet."""

from __future__ import annotations

import inspect
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from tqdm.auto import tqdm

from engine.errors import InvalidInputError, UnavailableError, WorkbenchError
from engine.workspace import Workspace

HUB_FILE, CONFIG_FILE = "model.safetensors", "config.json"
Progress = Callable[[int, int | None, str, str], None]  # done, total (None: not known), unit, stage; raises to stop
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


def silent(done: int, total: int | None, unit: str, stage: str) -> None:
    """Progress that nobody watches."""


def check_repository(repository: str) -> None:
    """Raises InvalidInputError unless `repository` is an owner and a name, such as timm/resnet18.a1_in1k."""
    if not REPOSITORY.fullmatch(repository) or ".." in repository:
        raise InvalidInputError(
            f"{repository[:80]!r} is no repository of the hub: write its owner and name, such as timm/resnet18.a1_in1k."
        )


def local_file(workspace: Workspace, repository: str, file: str) -> Path | None:
    """A file of a repository that is on this machine: copied by hand, or in a cache of the hub's; None if it is not.

    `workspace.hub` may also be such a cache (`models--<owner>--<name>/snapshots/...`). Raises InvalidInputError.
    """
    check_repository(repository)
    copied = workspace.hub / repository / file
    if copied.is_file():
        return copied
    for cache in (workspace.hub, None):
        found = try_to_load_from_cache(repository, file, cache_dir=cache)
        if isinstance(found, str):
            return Path(found)
    return None


def hub_file(workspace: Workspace, repository: str, file: str, progress: Progress = silent) -> Path:
    """A file of a repository: from this machine if it is here, else downloaded into the hub's cache.

    Raises UnavailableError that says what to copy where, or whatever `progress` raises to stop.
    """
    if (here := local_file(workspace, repository, file)) is not None:
        return here
    workspace.refuse_visitors("Downloading networks", "choose one whose weights are here")
    progress(0, None, "bytes", f"Asking the hub for {file}")
    try:
        require_name(constants.ENDPOINT)
        return Path(hf_hub_download(repository, file, **_watching(progress, f"Downloading {file}")))
    except WorkbenchError:
        raise
    except Exception as error:  # the hub's client raises a dozen unrelated classes when there is no network
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise NoSuchFileError(f"The repository {repository} has no file {file}.") from error
        host = urlsplit(constants.ENDPOINT).hostname
        reason = f"{host} cannot be reached" if isinstance(error, OSError) else type(error).__name__
        needed = f"{file} and {HUB_FILE}" if file == CONFIG_FILE else file
        raise UnavailableError(
            f"The weights {repository} could not be downloaded ({reason}): connect to the internet, or copy {needed} "
            f"of that repository to {workspace.hub / repository}."
        ) from error


def require_name(endpoint: str) -> None:
    """Raises OSError at once where the hub's name is not known, which the client would try again for half a minute."""
    if not constants.HF_HUB_OFFLINE and not getproxies():  # a proxy knows names that we do not
        socket.getaddrinfo(urlsplit(endpoint).hostname, 443)


class NoSuchFileError(UnavailableError):
    """A repository that can be reached has no file of that name."""


def _watching(progress: Progress, stage: str) -> dict[str, Any]:
    """Arguments by which the hub's client tells how far it is; older ones cannot."""
    known = inspect.signature(hf_hub_download).parameters
    return {"tqdm_class": _bar(progress, stage)} if "tqdm_class" in known else {}


def _bar(progress: Progress, stage: str) -> type[Any]:
    """A progress bar class for the hub's client that draws nothing and passes the bytes on to `progress`."""

    class Watched(tqdm):  # type: ignore[misc]  # tqdm is not typed
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)  # the client's own
            self.bytes = int(options.get("initial") or 0)
            super().__init__(*args, **{**options, "disable": True})
            self.bytes_total = options.get("total")

        def update(self, n: float | None = 1) -> None:
            self.bytes += int(n or 0)
            total = self.bytes_total or self.total
            progress(self.bytes, int(total) if total else None, "bytes", stage)

    return Watched
