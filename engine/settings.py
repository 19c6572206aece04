"""What an import, and a visitor of a demo, may take up: limits that keep hostile or careless use from filling memory
or disk.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from engine.errors import InvalidInputError
from engine.files import read_json
from engine.workspace import Workspace

# settings.json of the workspace: {"import": {"roots": ["/data"], "archive_bytes": 1000000000}}

HOST_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*\.?|\[?[0-9a-fA-F:.]+\]?")


@dataclass(frozen=True)
class ImportSettings:
    """Limits of an import. Each default is ours: it lets every data set of the paper through, and little more."""

    roots: tuple[str, ...] = ()  # folders of the server that the app may import from; read in place, nothing is copied
    images: int = 1_000_000  # in one task
    classes: int = 20_000
    archive_entries: int = 1_200_000
    archive_bytes: int = 200_000_000_000  # all entries together, unpacked
    archive_ratio: float = 200.0  # unpacked to packed bytes; an archive of photographs has about 1
    file_bytes: int = 300_000_000  # one image file
    table_bytes: int = 1_073_741_824  # a CSV or TSV file
    list_bytes: int = 100_000_000  # a list of a known data set, such as its train_test_split.txt
    cell_characters: int = 1_000_000  # one cell of a table
    pixels: int = 64_000_000  # one image; no decoder is ever asked for more
    source_seconds: float = 300.0  # listing what a source holds, or getting one image out of it
    source_bytes: int = 8_000_000_000  # memory of the process that does so
    decode_seconds: float = 20.0  # one image
    decode_bytes: int = 4_000_000_000  # memory of a decoder process
    decoders: int = 2  # processes that decode side by side
    upload_bytes: int = 5_000_000_000  # what one user may drop at once

    def __post_init__(self) -> None:
        """Refuse what is no limit, naming the field."""
        if not all(isinstance(root, str) and Path(root).is_absolute() for root in self.roots):
            raise InvalidInputError(
                f"The setting roots is {list(self.roots)}: name folders by their absolute paths, such as /data."
            )
        _check_limits(self, besides="roots")
        if self.pixels > LARGEST_PIXELS:
            raise InvalidInputError(
                f"The setting pixels is {self.pixels:,}, more than {LARGEST_PIXELS:,}: make such images smaller first."
            )


@dataclass(frozen=True)
class DemoSettings:
    """Limits of a demo, for one visitor unless it says otherwise. Ours: thirty visitors fill a 64 GB disk by half."""

    visitors: int = 30  # all of them together
    minutes: float = 60.0  # without a visit, until what a visitor made is cleared away
    disk_bytes: int = 1_000_000_000
    upload_bytes: int = 200_000_000  # brought at once; it lies in the server's memory until it is kept
    uploads: int = 10  # tasks and files brought
    jobs: int = 40  # that wait or run; a comparison of five methods and three seeds has 15
    job_minutes: float = 20.0  # that one job may run, as others wait for it

    def __post_init__(self) -> None:
        """Refuse what is no limit, naming the field."""
        _check_limits(self)


def _check_limits(settings: Any, besides: str = "") -> None:
    for item in fields(settings):
        value = getattr(settings, item.name)
        if item.name == besides:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise InvalidInputError(f"The setting {item.name} is {value!r}: choose a number above 0.")
        if item.type == "int" and not isinstance(value, int):
            raise InvalidInputError(f"The setting {item.name} is {value!r}: choose a whole number.")


LARGEST_PIXELS = 64_000_000  # what whoever opens an image later can decode as well


def import_settings(workspace: Workspace) -> ImportSettings:
    """The settings under "import" in settings.json of the workspace, or the defaults where it says nothing. Visitors of
    a demo bring what they upload: no folder of the server is open to them, and a demo's limits hold as well.

    Raises InvalidInputError for a setting that does not exist or is no limit, DamagedFileError for a file that is no
    JSON.
    """
    path = workspace.settings
    found = settings_from(read_json(path), str(path)) if path.exists() else ImportSettings()
    if workspace.base is None:
        return found
    limits = demo_settings(workspace)
    return replace(
        found,
        roots=(),
        upload_bytes=min(found.upload_bytes, limits.upload_bytes),
        archive_bytes=min(found.archive_bytes, limits.disk_bytes),
    )


def demo_settings(workspace: Workspace) -> DemoSettings:
    """The settings under "demo" in settings.json of the workspace. Raises as `import_settings`."""
    path = workspace.settings
    value = read_json(path) if path.exists() else {}
    return DemoSettings(**_section(value, "demo", DemoSettings, {"disk_bytes": 1_000_000_000}, str(path)))


def host_names(workspace: Workspace) -> tuple[str, ...]:
    """Names by which browsers may call the workbench beside this machine's own: those of a proxy or container.

    The hosts under "serve" in settings.json of the workspace. Raises InvalidInputError or DamagedFileError.
    """
    path = workspace.settings
    value = read_json(path) if path.exists() else {}
    section = value.get("serve", {}) if isinstance(value, dict) else None
    names = section.get("hosts", []) if isinstance(section, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidInputError(f'{path}: write names of hosts as {{"serve": {{"hosts": ["workbench.example.org"]}}}}.')
    return checked_host_names(names)


def checked_host_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names or addresses of hosts, without scheme and port. Raises InvalidInputError for one that is none."""
    found = tuple(name.strip() for name in names if name.strip())
    if wrong := next((name for name in found if not HOST_NAME.fullmatch(name)), None):
        raise InvalidInputError(f"{wrong[:80]!r} is no name of a host: write it without https:// and port.")
    return found


def settings_from(value: Any, where: str) -> ImportSettings:
    """The settings in a JSON value. Raises InvalidInputError naming `where`."""
    section = _section(value, "import", ImportSettings, {"images": 1_000_000}, where)
    roots = section.get("roots", ())
    if not isinstance(roots, list | tuple):
        raise InvalidInputError(f"{where}: roots must be a list of folders.")
    return ImportSettings(**{**section, "roots": tuple(roots)})


def _section(value: Any, name: str, kind: type[Any], example: dict[str, int], where: str) -> dict[str, Any]:
    """What a JSON value says under a name. Raises InvalidInputError for what is none, or names a setting of no kind."""
    section = value.get(name, {}) if isinstance(value, dict) else None
    if not isinstance(section, dict):
        raise InvalidInputError(f"{where} is no list of settings: write {json.dumps({name: example})}.")
    known = {item.name for item in fields(kind)}
    if unknown := sorted(set(section) - known):
        raise InvalidInputError(f"{where}: there is no setting {unknown[0]!r}: choose from {', '.join(sorted(known))}.")
    return section


def allowed_root(path: Path, settings: ImportSettings) -> Path | None:
    """The allow-listed root that `path` really lies in, links followed; None if it lies in none."""
    real = Path(os.path.realpath(path))
    for root in settings.roots:
        real_root = Path(os.path.realpath(root))
        if real == real_root or real_root in real.parents:
            return real_root
    return None
