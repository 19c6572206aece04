"""Small and real: the smallest bundled task, two bundled teachers, the smallest student, a few steps."""

import pytest

from tests.engine.jobs.jobs_workspace import Workspace

TEACHERS = ["cifar10", "mnist"]
STUDENT = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "evaluations": 4}
# Options of `plan` for a run of seconds.
SMALL = {"labels_per_class": 2, "device": "cpu", "teachers": TEACHERS, "images": 640, **STUDENT}


@pytest.fixture
def small():
    """The same, to be changed."""
    return {**SMALL}


@pytest.fixture
def workspace(tmp_path):
    """A workspace whose jobs count."""
    return Workspace(tmp_path)
