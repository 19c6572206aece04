"""The workspace: which one it is, and where in it things lie."""

import os
from pathlib import Path

import pytest

from engine import files
from engine.errors import InvalidInputError
from engine.workspace import Workspace


def test_the_environment_names_the_workspace_and_its_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    monkeypatch.delenv("WORKBENCH_HUB", raising=False)
    assert Workspace.from_environment() == Workspace(tmp_path)
    assert Workspace.from_environment().hub == tmp_path / "hub"
    monkeypatch.setenv("WORKBENCH_HOME", "~/mine")
    monkeypatch.setenv("WORKBENCH_HUB", "~/hub")
    assert Workspace.from_environment() == Workspace(Path.home() / "mine", Path.home() / "hub")
    monkeypatch.setenv("WORKBENCH_HOME", "~nobody-of-this-name/mine")
    with pytest.raises(InvalidInputError, match="does not know: write the whole path"):
        Workspace.from_environment()
    monkeypatch.delenv("WORKBENCH_HOME")
    assert Workspace.from_environment().path == Path.home() / ".distill-workbench"


def test_a_process_of_another_folder_finds_the_same_workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for hub in (None, Path("weights")):
        variables = Workspace(Path("mine"), hub).as_environment()
        for name in ("WORKBENCH_HOME", "WORKBENCH_HUB"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert Workspace.from_environment() == Workspace(tmp_path / "mine", hub and tmp_path / hub)


def test_a_job_lies_in_its_workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HUB", str(tmp_path / "hub"))
    home = Workspace(tmp_path)
    for folder in home.job_folders:
        found = Workspace.of_job(folder / "one")
        assert (found.path, found.hub) == (tmp_path, tmp_path / "hub")


def test_what_a_killed_write_left_is_removed_and_what_is_young_or_an_imports_stays(tmp_path: Path) -> None:
    view = tmp_path / "features" / "leaves" / "own-123-squash" / "view-0"
    left = [view / ".tmp-0123-ab.safetensors", view / ".tmp4rnXbh", tmp_path / "comparisons" / ".tmp-1-x.json"]
    kept = [view / "ab.safetensors", tmp_path / "tasks" / ".tmp-importing" / "part.parquet", view / ".tmp-young"]
    for path in [*left, *kept]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (0, 0) if path.name != ".tmp-young" else None)
    for folder in Workspace(tmp_path).written_to():
        files.remove_temporary(folder, older_than=3600)
    assert [path.exists() for path in left] == [False] * 3
    assert [path.exists() for path in kept] == [True] * 3
