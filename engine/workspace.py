"""The workspace: the folder that holds everything a user makes. This module alone knows where in it things lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.files import expanded

HOME, HUB = "WORKBENCH_HOME", "WORKBENCH_HUB"  # variables of the environment


@dataclass(frozen=True)
class Workspace:
    """Where everything of a user lies.

    path: the folder. hub_folder: where files of a model hub are looked for; None = the folder `hub` of the workspace.
    """

    path: Path
    hub_folder: Path | None = None

    @classmethod
    def from_environment(cls) -> Workspace:
        """The workspace that `WORKBENCH_HOME` names, or `~/.distill-workbench`, with the hub of `WORKBENCH_HUB`.

        Read at the doors (command line, app, a worker's start) and nowhere else. Raises InvalidInputError for a path
        that begins with the home of nobody known here.
        """
        home = os.environ.get(HOME)
        return cls(expanded(home) if home else Path.home() / ".distill-workbench", _hub_of_environment())

    @classmethod
    def of_job(cls, folder: Path) -> Workspace:
        """The workspace in which a job's folder lies, with the hub that the environment names."""
        return cls(folder.absolute().parent.parent, _hub_of_environment())

    def as_environment(self) -> dict[str, str]:
        """Variables by which a process that starts in another folder finds this workspace."""
        hub = {HUB: str(self.hub_folder.absolute())} if self.hub_folder else {}
        return {HOME: str(self.path.absolute()), **hub}

    @property
    def settings(self) -> Path:
        """The file of limits, allow-listed roots and names of hosts."""
        return self.path / "settings.json"

    @property
    def tasks(self) -> Path:
        """One folder for each task."""
        return self.path / "tasks"

    @property
    def teachers(self) -> Path:
        """One folder for each added teacher."""
        return self.path / "teachers"

    @property
    def hub(self) -> Path:
        """Files of a model hub, in its cache's layout or as `<owner>/<name>/<file>`."""
        return self.hub_folder or self.path / "hub"

    @property
    def features(self) -> Path:
        """What teachers say of images: `<task>/<teacher>-<key>/view-<k>`."""
        return self.path / "features"

    @property
    def pixels(self) -> Path:
        """Images at the sizes of students, a cache: `<task>/<resize>-<size>`."""
        return self.path / "pixels"

    @property
    def maps(self) -> Path:
        """Maps of features."""
        return self.path / "maps"

    @property
    def rankings(self) -> Path:
        """Rankings of teachers with their intervals."""
        return self.path / "rankings"

    @property
    def speeds(self) -> Path:
        """How fast this machine trains and extracts, as measured."""
        return self.path / "speeds"

    @property
    def jobs(self) -> Path:
        """One folder for each job that is no run."""
        return self.path / "jobs"

    @property
    def runs(self) -> Path:
        """One folder for each run."""
        return self.path / "runs"

    @property
    def job_folders(self) -> list[Path]:
        """The folders in which jobs of any kind lie."""
        return [self.jobs, self.runs]

    @property
    def engines(self) -> Path:
        """What an engine keeps of jobs that it handed to a cluster, one folder for each."""
        return self.path / "engines"

    @property
    def comparisons(self) -> Path:
        """One file for each comparison."""
        return self.path / "comparisons"

    @property
    def uploads(self) -> Path:
        """What browsers dropped, until an import or a teacher takes it."""
        return self.path / "uploads"

    @property
    def imports(self) -> Path:
        """Imports that have not come to their end."""
        return self.path / "imports"

    @property
    def downloads(self) -> Path:
        """Data sets that torchvision downloads."""
        return self.path / "downloads"

    @property
    def trash(self) -> Path:
        """Removed tasks, until the trash is emptied."""
        return self.path / "trash"

    @property
    def locks(self) -> Path:
        """Lock files of lanes, tasks and imports."""
        return self.path / "locks"

    @property
    def paused(self) -> Path:
        """An empty file that is there while the queue is paused."""
        return self.path / "queue-paused"

    def written_to(self) -> Iterator[Path]:
        """Folders in which single files are replaced, and where writes that never finished may have left something.

        Whole folders that are made elsewhere are looked after by those who make them, such as an import, which goes on
        with what it left; a job's own folder is tidied whenever the job starts or ends.
        """
        for pattern in _WRITTEN_TO:
            yield from self.path.glob(pattern)


def _hub_of_environment() -> Path | None:
    hub = os.environ.get(HUB)
    return expanded(hub) if hub else None


_WRITTEN_TO = (
    "features/*/*/view-*",
    "maps/*/*",
    "pixels/*/*",
    "tasks/*/labels",
    "tasks/*/splits",
    "comparisons",
    "rankings",
    "speeds",
)
