"""Fixtures of the tests of jobs; what they share lies in jobs_workspace.py beside this file."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.jobs.jobs_workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def as_nobody() -> Callable[[str], str]:
    """Run Python code as an ordinary user (tests usually run as root), and give what it prints."""

    def run(code: str) -> str:
        become = "import os\nif os.getuid() == 0:\n    os.setgid(65534)\n    os.setuid(65534)\n"
        imports = "from pathlib import Path\nfrom engine import files, jobs\nfrom engine.errors import *\n"
        imports += "from engine.workspace import Workspace\n"
        done = subprocess.run(
            [sys.executable, "-c", imports + become + code],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
