"""A finished student as a teacher of other tasks, and of its own never."""

from dataclasses import replace

import pytest

from engine import jobs
from engine.delivery import add_as_teacher, teacher_of
from engine.delivery.as_teacher import described
from engine.delivery.export import finished_student
from engine.errors import InvalidInputError
from engine.teachers import get_teacher, load_teacher, relation
from tests.engine.delivery.made_task import CLASSES, NAME, make_run


@pytest.fixture
def student(home):
    jobs.create(home.runs, "other", kind="run", spec={"task": NAME}, device="cpu")
    folder = make_run(home)
    (home.runs / "other" / "job.json").rename(folder / "job.json")
    return finished_student(folder)


def test_a_student_teaches_every_collection_but_its_own(home, student):
    record = add_as_teacher(home, "run-1")
    assert (record.classes, record.input_size, record.architecture) == (CLASSES, 32, "test_resnet")
    assert relation(record, "garden", ()) == "same"
    assert relation(record, "ocean", ()) == "other"
    assert teacher_of(home, "run-1") == record
    theirs, ours = load_teacher(home, record, "cpu").model.state_dict(), student.network.model.state_dict()
    assert all(theirs[name].equal(ours[name]) for name in ours)
    with pytest.raises(InvalidInputError, match="There is a teacher named 'student-run-1' already"):
        add_as_teacher(home, "run-1")


def test_what_its_own_teachers_saw_counts_too(student):
    taught = replace(student, result=replace(student.result, active_alpha={"mnist": 1.0, "letters": 0.0}))
    assert described(taught).further_collections == (get_teacher(student.workspace, "mnist").collection,)
    orphan = replace(student, result=replace(student.result, active_alpha={"gone": 1.0}))
    with pytest.raises(InvalidInputError, match="The teacher 'gone', which taught this student, cannot be asked"):
        described(orphan)


def test_a_student_of_a_task_that_is_gone_needs_a_collection(student):
    with pytest.raises(InvalidInputError, match="It is not known from which collection"):
        described(replace(student, images=None, without_images="the task is gone"))
