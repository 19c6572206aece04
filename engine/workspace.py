"""The workspace: the folder that holds everything a user makes. This module alone knows where in it things lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import UnavailableError
from engine.files import TEMPORARY_PREFIX, expanded

HOME, HUB = "WORKBENCH_HOME", "WORKBENCH_HUB"  # variables of the environment
_SCRATCHES = "demo-scratches"


@dataclass(frozen=True)
class Workspace:
    """Where everything of a user lies.

    path: the folder. hub_folder: where files of a model hub are looked for; None = the folder `hub` of the workspace.
    base: of a visitor's scratch in a demo, the workspace that all visitors share and none of them changes. Reads fall
    through to it and writes go to `path`: `engine.scratches` lays out the folder so, with links in place of files, and
    no reader or writer has to know.
    """

    path: Path
    hub_folder: Path | None = None
    base: Path | None = None

    @classmethod
    def from_environment(cls) -> Workspace:
        """The workspace that `WORKBENCH_HOME` names, or `~/.distill-workbench`, with the hub of `WORKBENCH_HUB`.

        Read at the doors (command line, app, a worker's start) and nowhere else. Raises InvalidInputError for a path
        that begins with the home of nobody known here.
        """
        home = os.environ.get(HOME)
        return cls._at(expanded(home) if home else Path.home() / ".distill-workbench")

    @classmethod
    def of_job(cls, folder: Path) -> Workspace:
        """The workspace in which a job's folder lies, with the hub that the environment names."""
        return cls._at(folder.absolute().parent.parent)

    @classmethod
    def _at(cls, path: Path) -> Workspace:
        """The workspace in a folder; a scratch lies in its base, so that every process finds the one by the other."""
        return cls(path, _hub_of_environment(), path.parent.parent if path.parent.name == _SCRATCHES else None)

    def scratch(self, name: str) -> Workspace:
        """The scratch of that name over this workspace, whether or not it was begun."""
        return replace(self, path=self.scratches / name, base=self.path)

    @property
    def machine(self) -> Workspace:
        """The workspace whose lanes do the jobs: of a scratch its base, so that visitors take turns on one machine."""
        return self if self.base is None else replace(self, path=self.base, base=None)

    def refuse_visitors(self, what: str, instead: str) -> None:
        """Shut a door in a demo. what: "Importing a folder of the server". Raises UnavailableError in a scratch."""
        if self.base is not None:
            raise UnavailableError(f"{what} is closed in this demo: {instead}.")

    def as_environment(self) -> dict[str, str]:
        """Variables by which a process that starts in another folder finds this workspace."""
        hub = {HUB: str(self.hub_folder.absolute())} if self.hub_folder else {}
        return {HOME: str(self.path.absolute()), **hub}

    @property
    def settings(self) -> Path:
        """The file of limits, allow-listed roots and names of hosts; the machine's."""
        return self.machine.path / "settings.json"

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
        """Files of a model hub, in its cache's layout or as `<owner>/<name>/<file>`; the machine's."""
        return self.hub_folder or self.machine.path / "hub"

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
    def scratches(self) -> Path:
        """One folder for each visitor of a demo."""
        return self.path / _SCRATCHES

    @property
    def queued_folders(self) -> list[Path]:
        """The folders whose jobs the lanes of this machine work off: those of its workspace, and of every scratch."""
        machine = self.machine
        try:
            names = sorted(name for name in os.listdir(machine.scratches) if not name.startswith(TEMPORARY_PREFIX))
        except OSError:  # there is none
            names = []
        return [folder for one in (machine, *map(machine.scratch, names)) for folder in one.job_folders]

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
        """An empty file that is there while the queue is paused; the machine's."""
        return self.machine.path / "queue-paused"

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
