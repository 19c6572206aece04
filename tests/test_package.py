"""The program as a package: what a wheel holds, and what it does where no project's folder is near."""

import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import engine

ROOT = Path(__file__).parents[1]
MOST_BYTES = 45_000_000  # of the wheel
PACKAGES = ("app", "assets", "engine")
FOR_READERS = ("assets/screenshots",)  # pictures of the README: not in the wheel
MADE = ("assets/build/cache", "assets/build/out")  # git-ignored


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built offline in a copy of the project, in which building leaves what it leaves."""
    copy, out = tmp_path_factory.mktemp("project") / "project", tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns("__pycache__", *(Path(folder).name for folder in MADE))
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=left_out, copy_function=os.symlink)
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


def test_a_wheel_holds_all_that_is_needed_and_stays_small(wheel):
    needed = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    needed = {name for name in needed if not name.startswith((*FOR_READERS, *MADE))}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == needed
    assert {"app/.streamlit/config.toml", "assets/teachers/mnist.safetensors", "assets/tasks/quickdraw.parquet"} < held
    assert wheel.stat().st_size < MOST_BYTES


def test_its_version_and_requirements_have_one_source(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_string(archive.read(name).decode())
    assert metadata["Version"] == engine.__version__
    lines = (ROOT / "requirements.txt").read_text().split()
    required = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert len(required) == len(lines)
    assert f"\n## [{engine.__version__}] - " in (ROOT / "CHANGELOG.md").read_text()


def test_an_installed_one_works_from_any_folder(wheel, tmp_path):
    place = tmp_path / "installed"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(place)]
    subprocess.run([sys.executable, *install, str(wheel)], check=True, capture_output=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WORKBENCH")}
    environment |= {"PYTHONPATH": str(place), "WORKBENCH_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}

    def script(*arguments):
        command = [str(place / "bin" / "distill-workbench"), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert script("--version").stdout == f"distill-workbench {engine.__version__}\n"
    listed = script("tasks")
    assert listed.returncode == 0, listed.stderr
    assert "quickdraw" in listed.stdout
    found = "from engine import installation; print(installation.FOLDER, installation.bundled('teachers').is_dir())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", found], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(place), "True"], done.stderr


def test_the_script_opens_the_workbench_when_told_nothing(monkeypatch):
    from engine import __main__ as entrance

    asked = []
    monkeypatch.setattr(entrance, "main", lambda arguments, program: asked.append((arguments, program)) or 0)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(sys, "argv", ["distill-workbench"])
    assert entrance.script() == 0
    assert asked == [(["serve"], "distill-workbench")]


def test_no_module_changes_where_python_imports_from():
    found = [path for room in (*PACKAGES, "tests") for path in (ROOT / room).rglob("*.py") if path != Path(__file__)]
    own = [path for path in found if not path.is_relative_to(ROOT / "assets" / "build" / "cache")]
    assert [str(path) for path in own if "sys.path." in path.read_text()] == []
