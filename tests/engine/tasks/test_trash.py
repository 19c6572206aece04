"""A removed task can be put back until somebody empties the trash."""

import json

import pytest

from engine.cli import main
from engine.errors import InvalidInputError, UnknownNameError
from engine.runs import delete, discarded, discards
from engine.tasks import remove_task, removed_tasks, restore_task, task_names
from tests.engine.intake import made_sources as made


@pytest.fixture
def task(home):
    """A folder that is called a task: what is in it matters to nobody here."""
    made.put(home.tasks / "mine", {"task.json": json.dumps({"title": "Löwen"}), "images.parquet": "images"})
    made.put(home.features / "mine" / "x", {"y": "z"})
    made.put(home.pixels / "mine" / "x", {"y": "z"})
    return home.tasks / "mine"


def test_a_removed_task_takes_its_features_along_and_both_come_back(home, task):
    identifier = remove_task(home, "mine")
    assert "mine" not in task_names(home)
    assert not (home.features / "mine").exists()
    assert not (home.pixels / "mine").exists()
    [entry] = removed_tasks(home)
    assert (entry.id, entry.name, entry.title) == (identifier, "mine", "Löwen")
    assert entry.removed.endswith("+00:00")
    assert restore_task(home, identifier) == "mine"
    assert (task / "images.parquet").read_text() == "images"
    assert (home.features / "mine" / "x" / "y").read_text() == (home.pixels / "mine" / "x" / "y").read_text() == "z"
    assert removed_tasks(home) == []
    assert list((home.trash).iterdir()) == []


def test_a_task_never_takes_the_place_of_another_one(home, task):
    first = remove_task(home, "mine")
    made.put(task, {"task.json": "{"})  # damaged ones can be removed as well
    with pytest.raises(InvalidInputError, match="by now"):
        restore_task(home, first)
    second = remove_task(home, "mine")
    assert [entry.title for entry in removed_tasks(home)] == ["mine", "Löwen"]
    with pytest.raises(InvalidInputError, match="say which one"):
        discarded(home, "mine")
    with pytest.raises(UnknownNameError, match="removed task"):
        restore_task(home, "mine")
    assert restore_task(home, first) == "mine"
    assert [entry.id for entry in removed_tasks(home)] == [second]


def test_the_trash_is_emptied_in_parts_or_as_a_whole(home, task):
    remove_task(home, "mine")
    made.put(home.tasks / "other", {"task.json": "{}"})
    remove_task(home, "other")
    delete(home, [discarded(home, "mine")])
    assert [entry.name for entry in removed_tasks(home)] == ["other"]
    delete(home, discards(home))
    assert list((home.trash).iterdir()) == []
    with pytest.raises(UnknownNameError, match="removed task"):
        discarded(home, "../tasks")


def test_what_a_killed_removal_left_is_whole(home, task):
    """Killed after the task was moved, before its features were: both are there again once it is put back."""
    identifier = remove_task(home, "mine")
    (home.trash / identifier / "features").rename(home.features / "mine")
    assert restore_task(home, identifier) == "mine"
    assert (home.features / "mine" / "x" / "y").read_text() == "z"


def test_folders_that_no_removal_made_are_left_alone(home, task):
    made.put(home.trash / "99999999T999999999999Z-mine" / "task", {"task.json": "{}"})
    assert removed_tasks(home) == []


def test_bundled_tasks_and_names_that_are_none_are_refused(home):
    with pytest.raises(InvalidInputError, match="comes with the program"):
        remove_task(home, "emoji-fluent")
    for name in ("nothing", "../tasks", ""):
        with pytest.raises(UnknownNameError):
            remove_task(home, name)


def test_the_commands(home, task, capsys):
    assert main(["tasks", "remove", "mine"]) == 0
    assert "trash restore mine" in capsys.readouterr().out
    assert main(["trash", "--json"]) == 0
    assert [entry["title"] for entry in json.loads(capsys.readouterr().out)["removed"]] == ["Löwen"]
    assert main(["trash", "restore", "mine"]) == 0
    assert main(["tasks", "remove", "mine"]) == 0
    assert main(["trash", "empty", "--yes"]) == 0
    assert "Deleted 1 removed task or run for good:" in capsys.readouterr().out
    assert main(["trash", "restore", "mine"]) == 1
