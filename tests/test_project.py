"""The project as a whole: its locked versions, its size, the length of its files."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
MOST_LINES = 600  # of a Python file; a longer one holds more than one thing
MOST_BYTES = 45_000_000  # of assets/


def allowed():
    """Every requirement of the program, and of its tests and checks."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return [
        Requirement(line) for line in [*(ROOT / "requirements.txt").read_text().split("\n"), *groups["dev"]] if line
    ]


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if line.strip() and not line.startswith("#"))


@pytest.mark.parametrize("requirement", allowed(), ids=str)
def test_the_lock_names_one_version_that_the_range_allows(requirement):
    assert requirement.specifier.contains(locked()[canonicalize_name(requirement.name)])


def test_the_lock_tells_no_address():
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_no_python_file_is_too_long():
    files = [path for room in ("app", "assets", "engine", "tests") for path in (ROOT / room).rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_what_comes_with_the_program_stays_small():
    files = [path for path in (ROOT / "assets").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    made = [path for path in files for name in ("cache", "out") if path.is_relative_to(ROOT / "assets/build" / name)]
    assert sum(path.stat().st_size for path in set(files) - set(made)) <= MOST_BYTES


def test_a_commit_is_checked_as_make_check_checks_and_nothing_is_downloaded():
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    [hook] = repository["hooks"]
    assert (repository["repo"], hook["language"], hook["entry"]) == ("local", "system", "make check")
    assert "pass_filenames" in hook
    assert not hook["pass_filenames"]


def test_what_the_image_copies_is_let_into_it():
    kept = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    lines = [line.split()[1:-1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    copied = {path for line in lines for path in line} - {"."}
    assert copied
    assert copied <= kept
    assert {"app", "engine", "assets"} <= kept
    assert all((ROOT / path).exists() for path in kept)
