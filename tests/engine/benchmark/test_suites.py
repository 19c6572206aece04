"""Suites: what they hold, what goes to which file, and what a kill, a failure or another definition does to them."""

import json
import shutil
from dataclasses import replace

import pytest

from assets.build.task_recipes import BUNDLED, DEVELOPMENT, TARGETS
from engine import verbs
from engine.benchmark import pace, sittings, suites
from engine.benchmark.suites import SUITES, Suite, SuiteTask, get_suite
from engine.cli import main
from engine.errors import InvalidInputError, UnavailableError, UnknownNameError
from engine.files import read_json, write_json
from engine.jobs import load, status
from engine.methods import RECIPE, get_method
from engine.results import results_in
from engine.review import open_task
from engine.runs import as_document, plan, read_runs, start
from engine.runs.recorded import recorded_predictions
from engine.teachers import bundled_names
from tests.app import made_runs

EMOJI, CLIP_ART = "emoji-fluent", "openclipart"
SMALL = [
    "--suite",
    "eight",
    "--tasks",
    f"{EMOJI},{CLIP_ART}",
    "--methods",
    "fine-tune,distill-weighted",
    "--seeds",
    "0,1",
]


@pytest.fixture
def made(monkeypatch):
    """Comparisons in the real format without training. `calls`: the tasks and budgets that were asked for; `kill` and
    `break_`: at which of them Ctrl-C comes in the middle, and a run fails.
    """

    class Made:
        def __init__(self):
            self.calls, self.kill, self.break_ = [], None, None

        def __call__(self, workspace, task, methods, *, seeds, progress, **arguments):
            self.calls.append((task, arguments["images"]))
            comparison = start(workspace, plan(workspace, open_task(workspace, task), methods, seeds, **arguments))
            first, *others = comparison.runs
            if self.calls[-1] == self.break_:
                made_runs.fail(workspace, first, "The disk is full.")
            made_runs.finish_runs(workspace, others if self.break_ == self.calls[-1] else [first])
            for run in comparison.runs:
                job = load(workspace.runs / run)
                progress(job, status(job))
            if self.calls[-1] == self.kill:
                raise KeyboardInterrupt
            made_runs.finish_runs(workspace, others)
            failed = [
                {"run": entry.run, "state": entry.status.state, "message": entry.status.message}
                for entry in read_runs(workspace, comparison).entries
                if entry.result is None
            ]
            return {**as_document(comparison, read_runs(workspace, comparison).results), "failed": failed}

    found = Made()
    monkeypatch.setattr(verbs, "compare", found)
    return found


def suite(out, *further):
    return main(["benchmark", *SMALL, "--out", str(out), *further])


def test_the_suites_are_of_the_tasks_that_are_built():
    built = {task.name: task.built_by for one in SUITES.values() for task in one.tasks}
    assert {name for name, verb in built.items() if verb == "targets"} == {recipe.name for recipe in TARGETS}
    assert {name for name, verb in built.items() if not verb} == {recipe.name for recipe in BUNDLED}
    assert {task.name for task in SUITES["development"].tasks} == {recipe.name for recipe in DEVELOPMENT}
    assert len(SUITES["eight"].tasks) == 8
    for key, one in SUITES.items():
        assert one.key == key
        assert [get_method(name).key for name in one.methods] == list(one.methods)
        assert one.curve or len(one.images) == 1
        assert set(one.usual) <= {task.name for task in one.tasks}
        one.narrowed()


@pytest.mark.parametrize(
    ("key", "chosen", "sentence"),
    [
        ("eight", {"tasks": ["birds"]}, "no task of suite 'eight' named 'birds'"),
        ("eight", {"methods": ["magic"]}, "no method named 'magic'"),
        ("eight", {"seeds": []}, "at least one seed"),
        (
            "eight",
            {"images": [4000, 16000]},
            "takes one budget, not 2: name one, or choose a suite of budgets (budget)",
        ),
        ("nine", {}, "no suite named 'nine'"),
    ],
)
def test_what_a_suite_cannot_be_is_said(key, chosen, sentence):
    with pytest.raises((InvalidInputError, UnknownNameError)) as refused:
        get_suite(key).narrowed(**chosen)
    assert sentence in str(refused.value)


def test_each_task_is_written_as_soon_as_it_is_finished_and_resume_leaves_it_out(home, made, tmp_path, capsys):
    made.kill = (CLIP_ART, 16_000)
    assert suite(tmp_path) == 130
    assert [path.name for path in tmp_path.glob("*.json")] == [f"{EMOJI}.json"]
    said = capsys.readouterr().err
    command = f"python -m engine benchmark {' '.join(SMALL)} --out {tmp_path} --resume"
    assert f"Cancelled. This goes on with it: {command}" in said
    assert "0 of 8 runs" not in said
    assert "1 of 8 runs" in said
    written = (tmp_path / f"{EMOJI}.json").read_bytes()

    made.kill = None
    assert main(command.split()[3:]) == 0
    assert made.calls == [(EMOJI, 16_000), (CLIP_ART, 16_000), (CLIP_ART, 16_000)]
    assert (tmp_path / f"{EMOJI}.json").read_bytes() == written
    printed = capsys.readouterr()
    assert "3 runs to do, on cpu, 1 thread a run" in printed.err  # one of the four was done before Ctrl-C
    assert f"{EMOJI} is finished" in printed.err
    assert [line.split()[:2] for line in printed.out.splitlines()[3:5]] == [[EMOJI, "2"], [CLIP_ART, "2"]]

    document = read_json(tmp_path / f"{CLIP_ART}.json")
    assert document["failed"] == []
    assert document["suite"]["name"] == "eight"
    assert document["shared"]["images"] == 16_000
    assert "compare --task openclipart --methods fine-tune,distill-weighted --seeds 0,1" in document["command"]
    assert [result.seed for result in results_in(document, tmp_path)] == [0, 0, 1, 1]
    specs = [load(home.runs / result["run"]).spec for result in document["results"]]
    assert {spec["threads"] for spec in specs} == {1}
    found = recorded_predictions(CLIP_ART, "fine-tune", tmp_path)
    assert len(found) == len(open_task(home, CLIP_ART).test_rows)
    assert recorded_predictions(CLIP_ART, "fixmatch", tmp_path) is None

    made.calls.clear()
    assert suite(tmp_path, "--resume", "--seeds", "0,1,2") == 0  # another definition: all of it
    assert made.calls == [(EMOJI, 16_000), (CLIP_ART, 16_000)]


def test_a_task_that_fails_does_not_stop_the_others(home, made, tmp_path, capsys):
    made.break_ = (EMOJI, 16_000)
    assert suite(tmp_path) == 1
    assert [path.name for path in tmp_path.glob("*.json")] == [f"{CLIP_ART}.json"]
    said = capsys.readouterr().err.splitlines()
    assert any(line.startswith(f"error: {EMOJI}: emoji-fluent-fine-tune-s0") for line in said[-2:])
    assert "The disk is full." in said[-2]
    assert said[-1].endswith("--resume")


def test_a_damaged_run_is_said_by_its_task_and_stops_no_other(home, made, tmp_path, capsys):
    assert suite(tmp_path) == 0
    run = read_json(tmp_path / f"{EMOJI}.json")["results"][0]["run"]
    (home.runs / run / "job.json").write_text("{")
    assert suite(tmp_path) == 1
    [said] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert said.startswith(f"error: {EMOJI}: ")
    assert run in said
    assert made.calls[-1] == (CLIP_ART, 16_000)


def test_a_cluster_is_given_all_runs_at_once_and_none_that_is_done(home, made, tmp_path, monkeypatch):
    assert suite(tmp_path, "--tasks", EMOJI) == 0
    small = get_suite("eight").narrowed([EMOJI, CLIP_ART], ["fine-tune", "distill-weighted"], [0, 1])
    there = [replace(one, engine="elsewhere") for one in sittings.agenda(home, small, tmp_path, "cpu").sittings]
    given = []
    monkeypatch.setattr(sittings, "enqueue", lambda home, specs, device, engine: given.append((len(specs), engine)))
    monkeypatch.setattr(sittings, "_sit", lambda *_: given.append("sat"))
    assert sittings.run_sittings(home, there, made, print) == []
    assert given == [(0, "elsewhere"), (4, "elsewhere"), "sat", "sat"]


def test_a_damaged_file_and_one_of_another_definition_are_made_again(home, made, tmp_path):
    (tmp_path / f"{CLIP_ART}.json").write_text("{")
    write_json(tmp_path / f"{EMOJI}.json", {"task": EMOJI, "results": [], "shared": {}, "differs": []})
    assert suite(tmp_path, "--resume") == 0
    assert len(made.calls) == 2


def test_runs_of_another_version_of_the_recipe_are_not_put_beside_these(home, made, tmp_path, monkeypatch, capsys):
    assert suite(tmp_path) == 0
    before = read_json(tmp_path / f"{EMOJI}.json")["suite"]["fingerprint"]
    monkeypatch.setattr(sittings, "RECIPE", RECIPE + "+")
    assert suite(tmp_path, "--resume") == 1
    assert f"made by version {RECIPE} of the recipe, and this is version {RECIPE}+" in capsys.readouterr().err
    assert read_json(tmp_path / f"{EMOJI}.json")["suite"]["fingerprint"] == before


def test_a_budget_is_written_as_soon_as_it_is_finished(home, made, tmp_path, capsys):
    command = ["benchmark", "--suite", "budget", "--tasks", EMOJI, "--methods", "fine-tune,distill-nearest"]
    command += ["--out", str(tmp_path), "--images"]
    made.kill = (EMOJI, 16_000)
    assert main([*command, "64000,4000,16000"]) == 130
    path = tmp_path / "budget" / f"{EMOJI}.json"
    assert [one["shared"]["images"] for one in read_json(path)["comparisons"]] == [4_000]
    made.kill = None
    assert main([*command, "64000"]) == 0
    assert main([*command, "4000,16000,64000", "--resume"]) == 0
    assert made.calls == [(EMOJI, images) for images in (4_000, 16_000, 64_000, 16_000)]
    assert [one["shared"]["images"] for one in read_json(path)["comparisons"]] == [4_000, 16_000, 64_000]
    capsys.readouterr()
    assert main(["benchmark", str(path), "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert [table["common"]["images"] for table in tables] == [4_000, 16_000, 64_000]


def test_a_dry_run_does_nothing(home, made, tmp_path, capsys):
    assert suite(tmp_path, "--dry-run") == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[:4] for row in rows] == [[EMOJI, "16,000", "4", "4"], [CLIP_ART, "16,000", "4", "4"]]
    assert all(row.endswith("missing") for row in rows)
    assert made.calls == []
    assert not list(tmp_path.glob("*.json"))


def test_what_has_to_be_built_is_said_before_anything_runs(home, made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sittings, "BUILT", tmp_path / "nowhere")
    assert main(["benchmark", "--suite", "eight", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "error: Tasks cifar10, mnist, letters and astronomy of suite 'eight' are not built: run python -m assets.build "
        "targets first, or name others with --tasks.\n"
    )
    assert made.calls == []
    task = SuiteTask(EMOJI, "", teacher="quickdraw-255")
    with pytest.raises(UnavailableError, match=r"assets\.build teachers quickdraw-255"):
        sittings.agenda(home, Suite("one", "one", (task,), ("fine-tune",)), tmp_path)


def test_a_built_task_is_put_into_the_workspace_and_another_one_of_its_name_is_refused(home, tmp_path, monkeypatch):
    for ending in ("parquet", "json"):
        shutil.copy(sittings.bundled("tasks") / f"{EMOJI}.{ending}", tmp_path / f"built.{ending}")
    record = read_json(tmp_path / "built.json") | {"name": "built"}
    write_json(tmp_path / "built.json", record)
    monkeypatch.setattr(sittings, "BUILT", tmp_path)
    task = SuiteTask("built", "targets", "targets", size=96)
    one = Suite("one", "one", (task,), ("distill-nearest",), seeds=(0,))
    [sitting] = sittings.agenda(home, one, tmp_path).sittings
    assert sitting.path == tmp_path / "targets" / "built.json"
    assert sitting.specs[0].train.size == 96
    assert set(sitting.specs[0].teachers) <= set(bundled_names())
    write_json(tmp_path / "built.json", record | {"sha256": "0" * 64})
    found = sittings.agenda(home, one, tmp_path)
    assert found.sittings == ()
    assert "'built' of this workspace is not the one of the suite" in found.failures[0]


def test_an_installed_package_needs_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sittings, "FOLDER", tmp_path)
    with pytest.raises(InvalidInputError, match="say with --out FOLDER"):
        sittings.results_folder(None)
    assert sittings.results_folder(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--resume"], "--resume is an option of a suite"),
        (["--dry-run"], "--dry-run is an option of a suite"),
        (["--suite", "eight", "file.json"], "--suite makes its files itself"),
        (["--suite", "eight", "--seeds", "one"], "--seeds: 'one' is not a whole number"),
        ([], "at least one comparison"),
    ],
)
def test_what_the_command_cannot_do_is_said(home, arguments, sentence, capsys):
    assert main(["benchmark", *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_time_left_follows_from_the_images_of_the_runs_so_far():
    """Two runs of 100 images took 20 s, and 600 images are left: 60 s."""

    class Job:
        def __init__(self, id):
            self.id = id

    class Ended:
        terminal = True

    said, moments = [], iter([0.0, 10.0, 20.0])
    watch = pace.SuitePace({"a": 100, "b": 100, "c": 600}, said.append, lambda: next(moments))
    for run in ("a", "a", "other", "b"):
        watch(Job(run), Ended())
    assert said == ["1 of 3 runs, 360 an hour, about 1 min 10 s left", "2 of 3 runs, 360 an hour, about 1 min 0 s left"]


def test_a_suite_of_one_real_run(home, tmp_path, monkeypatch, capsys):
    tiny = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "evaluations": 1}
    one = Suite("tiny", "a few steps", (SuiteTask(EMOJI, ""),), ("fine-tune",), (0,), (64,), settings=tiny)
    monkeypatch.setitem(suites.SUITES, "tiny", one)
    assert main(["benchmark", "--suite", "tiny", "--device", "cpu", "--out", str(tmp_path)]) == 0
    [result] = results_in(read_json(tmp_path / f"{EMOJI}.json"), tmp_path)
    assert result.machine.startswith("CPU, 1 thread ")
    assert result.versions["recipe"] == RECIPE
    assert "1 of 1 run" in capsys.readouterr().err
