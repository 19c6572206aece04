"""Runs by the beginning of their names, from a file, into the trash and out of it: as commands."""

import json

import pytest

from engine import jobs, runs
from engine.cli import main
from engine.errors import BusyError, InvalidInputError, UnknownNameError
from engine.runs import as_spec_file, discards, plan, read_runs, remove_run, restore, run_named, spec_from_file
from tests.app import made_runs


@pytest.fixture
def comparison(home):
    """Two runs, the first of which is done."""
    _, comparison = made_runs.planned(home, ["fine-tune", "distill-weighted"], [0])
    made_runs.finish_runs(home, comparison.runs[:1])
    return comparison


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_goes_to_the_trash_in_one_step_and_comes_back_as_it_was(home, comparison):
    done, _ = comparison.runs
    before = snapshot(home.runs / done)
    identifier = remove_run(home, run_named(home, done))
    assert [(one.id, one.kind, one.name) for one in discards(home)] == [(identifier, "run", done)]
    assert discards(home)[0].size == sum(map(len, before.values()))
    [lost] = read_runs(home, comparison).lost
    assert lost.problem == f"Run {done} is in the trash: put it back, or start the same run again."
    assert snapshot(home.trash / identifier) == before
    restore(home, done[:20])
    assert snapshot(home.runs / done) == before
    assert read_runs(home, comparison).lost == ()
    assert discards(home) == []


def test_a_run_that_waits_is_not_removed_nor_one_whose_student_works(home, comparison):
    done, waiting = comparison.runs
    with pytest.raises(BusyError, match="is queued: cancel it first"):
        remove_run(home, run_named(home, waiting))
    work = jobs.create(home.jobs, "formats-1", kind="formats", spec={"run": done}, device="cpu")
    with pytest.raises(InvalidInputError, match="formats-1 still works"):
        remove_run(home, run_named(home, done))
    jobs.request_cancel(work)
    remove_run(home, run_named(home, done))


def test_a_run_never_takes_the_place_of_another(home, comparison):
    done = comparison.runs[0]
    spec = dict(run_named(home, done).spec)
    remove_run(home, run_named(home, done))
    jobs.create(home.runs, done, kind="run", spec=spec, device="cpu")
    with pytest.raises(InvalidInputError, match="by now"):
        restore(home, done)


def test_a_run_is_found_by_the_beginning_of_its_name(home, comparison):
    done, waiting = comparison.runs
    assert run_named(home, done[:-5]).id == done
    with pytest.raises(InvalidInputError, match="'emoji' begins 2 names"):
        run_named(home, "emoji")
    with pytest.raises(UnknownNameError, match=f"did you mean {waiting}"):
        run_named(home, waiting[1:])
    with pytest.raises(UnknownNameError):
        run_named(home, "")


@pytest.mark.parametrize(
    "method", ["fine-tune", "fixmatch", "distill-nearest", "distill-weighted(4)", "distill-consensus"]
)
def test_the_file_of_a_run_gives_that_very_run(home, emoji, method):
    [spec] = plan(home, emoji, [method], [3], labels_per_class=2, device="cpu", images=640, size=32)
    again, device = spec_from_file(home, json.loads(json.dumps(as_spec_file(spec))))
    assert (again.run_id, device) == (spec.run_id, "cpu")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"imges": 640}, "no key of such a spec named 'imges': did you mean images"),
        ({"views": 2}, "no key of such a spec named 'views'"),
        ({"method": "fine-tunes"}, "did you mean fine-tune"),
        ({"task": "emoji-fluant"}, "did you mean emoji-fluent"),
        ({"metric": "park"}, "did you mean parc"),
        ({"batch_norm": "joined"}, "batch_norm is 'joined': did you mean joint? It is one of joint, separate, frozen"),
        ({"seed": "one"}, "seed is 'one': Expected int, got str"),
        ({"seed": -1}, "seed is -1"),
        ({"size": 1.5}, "size is 1.5: choose a whole number"),
        ({"method": None}, "method is None"),
        ({"teachers": ["openclipartt"], "method": "distill-weighted"}, "did you mean openclipart"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_the_nearest_right_one(home, emoji, changes, said):
    with pytest.raises((UnknownNameError, InvalidInputError)) as error:
        spec_from_file(home, {"task": "emoji-fluent", "method": "fine-tune", **changes})
    assert said in str(error.value)


def test_a_misspelled_key_that_must_be_there_is_named(home):
    with pytest.raises(UnknownNameError, match="'metod': did you mean method"):
        spec_from_file(home, {"task": "emoji-fluent", "metod": "fine-tune"})
    with pytest.raises(InvalidInputError, match="lacks method"):
        spec_from_file(home, {"task": "emoji-fluent"})


def test_the_commands(home, comparison, capsys, tmp_path):
    done, waiting = comparison.runs

    def said(*arguments, status=0):
        assert main([*arguments]) == status, capsys.readouterr().err
        return capsys.readouterr()

    rows = {row["run"]: row for row in json.loads(said("runs", "--json").out)["runs"]}
    assert {run: row["state"] for run, row in rows.items()} == {done: "done", waiting: "queued"}
    assert rows[done]["progress"] == 1.0
    assert waiting in said("runs", "--state", "queued").out
    assert "held-out images right" in said("runs", "show", done).out
    assert f"{waiting} is cancelled" in said("runs", "cancel", waiting).out
    assert "waits in the queue of cpu" in said("runs", "resume", waiting).out
    assert "done" in said("runs", "watch", done).err
    assert "say --yes" in said("runs", "delete", done, status=1).err
    deleted = said("runs", "delete", done, "--yes").out
    assert f"part of {comparison.id}, which then lacks it" in deleted
    assert done in said("trash").out
    assert f"Put run {done} back" in said("trash", "restore", done).out
    said("runs", "delete", done, "--yes")
    assert "Deleted 1 removed task or run for good" in said("trash", "empty", "--yes").out
    assert "The trash is empty." in said("trash").out
    spec = tmp_path / "spec.json"
    spec.write_text(said("runs", "show", waiting, "--spec").out)
    assert said("run", str(spec), "--queue").out.strip() == waiting  # it is there already
    assert json.loads(said("run", str(spec), "--queue", "--json").out) == {"run": waiting, "state": "queued"}
    assert json.loads(said("run", "--example").out)["task"] == "quickdraw"
    assert "run --example" in said("run", status=1).err
    spec.write_text("{")
    assert "spec.json is not valid JSON" in said("run", str(spec), status=1).err


def test_the_example_is_a_run(home):
    assert spec_from_file(home, {**runs.EXAMPLE, "device": "cpu"})[0].train.images == 16_000
