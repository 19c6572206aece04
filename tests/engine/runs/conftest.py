"""Small and real: the smallest bundled task, two bundled teachers, the smallest student, a few steps."""

import pytest

TEACHERS = ["cifar10", "mnist"]
STUDENT = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "evaluations": 4}


@pytest.fixture
def small():
    """Options of `plan` for a run of seconds."""
    return {"labels_per_class": 2, "device": "cpu", "teachers": TEACHERS, "images": 640, **STUDENT}
