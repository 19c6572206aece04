"""Every hostile input ends in a teacher or in one sentence, and leaves nothing where it should not."""

import os
from collections import Counter

import pytest

from engine.review import open_task
from engine.workspace import Workspace
from tests.engine.teachers.hostile import TASK, attempt, cases, harmed, main

CASES = cases()


@pytest.fixture(scope="module")
def around(tmp_path_factory):
    """A folder that stands for the disk, with a workspace in it."""
    folder = tmp_path_factory.mktemp("disk")
    before = os.environ.get("WORKBENCH_HOME")
    os.environ["WORKBENCH_HOME"] = str(folder / "workspace")
    yield folder
    if before is None:
        del os.environ["WORKBENCH_HOME"]
    else:
        os.environ["WORKBENCH_HOME"] = before


@pytest.fixture(scope="module")
def task(around):
    return open_task(Workspace(around / "workspace"), TASK)


def test_there_are_many_cases_of_many_mechanisms():
    counts = Counter(case.mechanism for case in CASES)
    assert len(CASES) >= 300
    assert len(counts) >= 25
    assert len({(case.mechanism, case.name) for case in CASES}) == len(CASES)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mechanism", list(dict.fromkeys(case.mechanism for case in CASES)))
def test_every_case_ends_in_a_teacher_or_in_one_sentence(mechanism, task, around):
    problems = []
    for case in CASES:
        if case.mechanism == mechanism and (problem := attempt(case, task, around).problem):
            problems.append(f"{case.name}: {problem}")
    assert problems == []
    assert not harmed()


MUST_BE_REFUSED = {
    "truncated safetensors",
    "lying header length",
    "forged header",
    "pickle with a program",
    "forged pickle",
    "archive",
    "names of tensors",
    "path as a name",
    "name that is taken",
    "input size",
    "normalization",
    "architecture",
    "another format as weights",
    "numbers of features",
    "truncated table",
    "table as a bomb",
    "another format as a table",
    "repository's name",
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mechanism", sorted(MUST_BE_REFUSED))
def test_the_first_of_what_must_never_get_in_is_refused(mechanism, task, around):
    case = next(case for case in CASES if case.mechanism == mechanism)
    assert not attempt(case, task, around).accepted


def test_the_figures_by_mechanism_are_printed(monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_HOME", "restored afterwards")
    two = [case for case in CASES if case.mechanism == "another format as weights"][:2]
    assert main(two) == 0
    printed = capsys.readouterr().out
    assert "another format as weights           2 cases:   0 accepted,   2 refused" in printed
    assert "2 cases of 1 mechanisms" in printed
    assert printed.endswith("0 problems\n")
