"""The hostile-input suite: what a case is, and what must hold after each.

A case brings something hostile or broken to an import. It must end in an accepted task whose images can all be read, or
in a sentence (a WorkbenchError); nothing may be written outside of the workspace, and nothing half-made stay inside.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import WorkbenchError
from engine.images.decoder import Decoders
from engine.intake import ImportRequest, import_images
from engine.review import checked, open_task
from engine.settings import ImportSettings
from engine.workspace import Workspace

LIMITS = {  # small, so that small files reach them
    "images": 150,
    "classes": 60,
    "archive_entries": 200,
    "archive_bytes": 6_000_000,
    "file_bytes": 3_000_000,
    "table_bytes": 300_000,
    "cell_characters": 20_000,
    "pixels": 4_000_000,
    "decode_seconds": 10.0,
    "decode_bytes": 2_000_000_000,
    "decoders": 1,
    "upload_bytes": 3_000_000,
}
SLOWEST = 20.0  # s of the processor that any case may take: on a busy machine those of the clock say nothing


@dataclass(frozen=True)
class Case:
    """One hostile input. `bring` makes it in a folder and gives what to import, with fields of the ImportRequest.

    files: names of hostile files that lie among good ones, where one import brings many: each of them is a case.
    """

    mechanism: str
    name: str
    bring: Callable[[Path], Any]  # -> source, or (source, fields); may itself raise a WorkbenchError
    files: tuple[str, ...] = ()


@dataclass
class Outcome:
    """How cases of one mechanism ended."""

    accepted: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """How many."""
        return self.accepted + self.refused + len(self.failures)


class Bench:
    """A folder in which cases run one after the other, with a workspace, and surroundings that must not change."""

    def __init__(self, root: Path) -> None:
        self.root, self.home, self.source = root, Workspace(root / "around" / "workspace"), root / "around" / "source"
        self.home.path.mkdir(parents=True)
        (root / "around" / "canary.txt").write_text("untouched")
        (root / "secret.jpg").write_text("a secret")
        self.home.settings.write_text(json.dumps({"import": LIMITS}))
        self.decoders = Decoders(ImportSettings(**LIMITS))

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.decoders.__exit__(None, None, None)

    def run(self, case: Case, outcome: Outcome) -> None:
        """Run one case, and note how it ended."""
        shutil.rmtree(self.source, ignore_errors=True)
        self.source.mkdir()
        here = Path.cwd()
        began = _spent()
        try:
            ended = self._import(case)
            problem = self._look_around(began, here)
        except Exception as error:  # anything but a sentence is a failure of the program
            ended, problem = {}, f"{type(error).__name__}: {error}"
        finally:
            self._tidy()
        if problem:
            outcome.failures.append(f"{case.name}: {problem}")
            return
        for name in case.files or ("",):
            if ended.get(name, ended.get("")) == "accepted":
                outcome.accepted += 1
            else:
                outcome.refused += 1

    def _import(self, case: Case) -> dict[str, str]:
        """How each file of the case ended, or under "" the case as a whole. Raises for what is no sentence."""
        try:
            brought = case.bring(self.source)
            source, fields = brought if isinstance(brought, tuple) else (brought, {})
            if callable(source):
                source = source(self.home)
            request = ImportRequest(**{"source": str(source), "title": "hostile", **fields})
            self.surroundings = self._surroundings()
            task = import_images(self.home, request, decoders=self.decoders)
        except WorkbenchError as error:
            self._check_sentence(str(error))
            if not hasattr(self, "surroundings"):
                self.surroundings = self._surroundings()
            return {"": "refused"}
        for row in range(len(task.images)):
            next(task.images.decoded([row]))
        assert open_task(self.home, task.name).revision == task.revision
        about = checked(task).about
        for _, reason in (*about.unreadable, *about.skipped):
            self._check_sentence(reason)
        known = set(task.images.image_ids)
        lost = {name for name, _ in (*about.unreadable, *about.skipped)}
        ended = {}
        for name in case.files:
            assert name in known or name in lost, f"{name} is neither in the task nor listed"
            ended[name] = "accepted" if name in known else "refused"
        return ended or {"": "accepted"}

    def _check_sentence(self, text: str) -> None:
        assert 10 < len(text) < 1500, f"no sentence: {text[:80]!r}"
        assert "Traceback" not in text, text[:200]
        assert "\n" not in text, f"not one line: {text[:200]!r}"

    def _surroundings(self) -> dict[str, tuple[int, int]]:
        """Everything around the workspace, with size and time."""
        found = {}
        for path in self._paths(self.root):
            if self.home.path not in path.parents and path != self.home.path and path != self.root / "around":
                about = path.lstat()
                found[str(path)] = (about.st_size, about.st_mtime_ns)
        return found

    def _paths(self, root: Path) -> Iterator[Path]:
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                yield Path(folder, name)

    def _look_around(self, began: float, here: Path) -> str:
        """What is wrong after a case, or nothing."""
        if Path.cwd() != here:
            return "the working folder has changed"
        if _spent() - began > SLOWEST:
            return f"took {_spent() - began:.0f} s"
        if self._surroundings() != self.surroundings:
            return "something outside of the workspace was written"
        allowed = {"settings.json", "tasks", "imports", "locks", "uploads"}
        if strange := {path.name for path in self.home.path.iterdir()} - allowed:
            return f"the workspace holds {strange}"
        if left := [str(p) for part in ("imports", "locks", "uploads") for p in self._paths(self.home.path / part)]:
            return f"left behind: {left[:3]}"
        for folder in (self.home.tasks).glob("*"):
            names = {path.name for path in folder.iterdir()}
            if names != {"task.json", "images.parquet", "facts.parquet", "import.json", "labels", "splits"}:
                return f"a task is half made: {folder.name} holds {sorted(names)}"
        if any(".tmp-" in str(path) for path in self._paths(self.home.path)):
            return "a temporary file stayed"
        return ""

    def _tidy(self) -> None:
        for part in ("tasks", "imports", "uploads", "locks"):
            shutil.rmtree(self.home.path / part, ignore_errors=True)
        self.__dict__.pop("surroundings", None)


def _spent() -> float:
    """Seconds of the processor, of this process and of all that it started and that have ended."""
    return sum(os.times()[:4])


def run_all(root: Path, cases: list[Case], tell: Callable[[Case], None] = lambda case: None) -> dict[str, Outcome]:
    """Run cases and give how they ended, by mechanism."""
    outcomes: dict[str, Outcome] = {}
    with Bench(root) as bench:
        for case in cases:
            tell(case)
            bench.run(case, outcomes.setdefault(case.mechanism, Outcome()))
    return outcomes
