"""The command line as a person or a script uses it: in real processes where it is about processes, else in this one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine import __main__ as entry
from engine.cli import main
from engine.cli.printing import print_table
from engine.similarity import METRICS

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--task", "emoji-fluent", "--teachers", "cifar10,mnist", "--labels-per-class", "2"]
SMALL += ["--architecture", "mobilenetv3_small_050", "--start", "random", "--size", "32", "--device", "cpu"]


def engine(*arguments, home, **options):
    environment = {**os.environ, "WORKBENCH_HOME": str(home.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "engine", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, **options)


def test_compare_prints_one_document_and_progress_elsewhere_and_export_gives_the_student(home, tmp_path, capsys):
    methods = "fine-tune,fixmatch,distill-weighted"
    done = engine("compare", *SMALL, "--methods", methods, "--images", "320", "--json", home=home)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [r["method"] for r in document["results"]] == methods.split(",")
    for result in document["results"]:
        assert 0 <= result["accuracy"] <= 1
        assert result["images"] == 320
        assert result["seconds"] > 0
        assert result["seed"] == 0
    assert all(mean["interval"]["low"] <= mean["accuracy"] <= mean["interval"]["high"] for mean in document["means"])
    assert document["differs"] == []
    assert "done" in done.stderr

    run = document["results"][2]["run"]
    assert main(["export", run, "--out", str(tmp_path / "out")]) == 0
    assert {Path(line).name for line in capsys.readouterr().out.split()} == {
        "README.md",
        "result.json",
        "student.json",
        "student.safetensors",
    }

    assert main(["rank", *SMALL[:6], "--json"]) == 0
    ranking = json.loads(capsys.readouterr().out)["ranking"]
    assert {row["teacher"] for row in ranking} == {"cifar10", "mnist"}
    assert [row["rank"] for row in ranking] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rank", "--task", "nothing"], "no task named 'nothing'"),
        (["rank", "--task", "emoji-fluent", "--metric", "nothing"], "no metric named 'nothing'"),
        (["rank", "--task", "emoji-fluent", "--teachers", "nobody"], "no teacher named 'nobody'"),
        (["rank", "--task", "emoji-fluent", "--resamples", "1"], "1 resamples give no interval"),
        (["rank", "--task", "emoji-fluent", "--labels-per-class", "0"], "ask for 1 or more"),
        (["compare", "--task", "emoji-fluent", "--methods", "magic"], "no method named 'magic'"),
        (["compare", "--task", "emoji-fluent", "--architecture", "resnet1"], "no timm architecture named 'resnet1'"),
        (["compare", "--task", "emoji-fluent", "--seeds", "a"], "'a' is not a whole number"),
        (["compare", "--task", "emoji-fluent", "--set", "colour=1"], "no training field named 'colour'"),
        (["compare", "--task", "emoji-fluent", "--set", "metric=1"], "--set metric: this is no field of training"),
        (["export", "nothing", "--out", "x"], "no run named 'nothing'"),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments, said, home, capsys):
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert said in lines[0]


def test_tasks_and_teachers_are_listed(home, capsys):
    assert main(["tasks", "--json"]) == 0
    assert {t["name"] for t in json.loads(capsys.readouterr().out)["tasks"]} >= {"quickdraw", "fashion-mnist"}
    assert main(["teachers"]) == 0
    assert "imagenet-lite0" in capsys.readouterr().out


def test_a_ranking_is_a_table_a_person_can_read(home, capsys):
    assert main(["rank", *SMALL[:6]]) == 0
    assert "cifar10" in capsys.readouterr().out
    assert main(["rank", *SMALL[:4], "--labels-per-class", "1"]) == 0
    assert "No ranking is possible" in capsys.readouterr().out


def test_all_metrics_with_intervals_are_one_document(home, capsys):
    options = ["rank", *SMALL[:4], "--labels-per-class", "4", "--metric", "all", "--resamples", "6"]
    assert main([*options, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [found["metric"] for found in document["metrics"]] == list(METRICS)
    for found in document["metrics"]:
        for place in found["places"]:
            assert {"teacher", "score", "rank", "interval", "probability_first"} <= set(place)
    by_metric = {found["metric"]: found for found in document["metrics"]}
    assert all(p["interval"]["low"] <= p["score"] <= p["interval"]["high"] for p in by_metric["parc"]["places"])
    assert sum(p["probability_first"] for p in by_metric["parc"]["places"]) == pytest.approx(1)
    assert by_metric["random"]["places"][0]["interval"] is None
    assert "needs 5 labeled images" in by_metric["probe"]["doubt"]
    assert all(p["interval"]["low"] <= p["score"] for p in document["consensus"]["places"])

    assert main(options) == 0
    table = capsys.readouterr().out
    assert "mean rank  95\u00a0% interval  first in" in table
    assert "probe: no intervals: " in table


def test_one_metric_with_intervals(home, capsys):
    options = ["rank", *SMALL[:4], "--labels-per-class", "4", "--resamples", "6"]
    assert main(options) == 0
    assert "95\u00a0% interval" in capsys.readouterr().out
    assert main([*options, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["rank"] for row in document["ranking"]] == [1, 2]
    assert all(row["interval"]["low"] <= row["similarity"] <= row["interval"]["high"] for row in document["ranking"])
    assert document["ranking"][0]["relation"] == "other"


def as_nobody():
    """In the child of a test that runs as root, become an ordinary user."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def test_a_workspace_that_may_not_be_written_is_one_sentence(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.getuid() and parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    code = (
        f"import os, sys; os.environ['WORKBENCH_HOME'] = {str(folder / 'home')!r}; "
        "from engine.uncompiled import defer_compiler; defer_compiler(); "
        "import engine.runs; from tests.engine.test_cli import as_nobody; as_nobody(); "
        "from engine.cli import main; sys.exit(main(['rank', '--task', 'emoji-fluent']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "may not be written" in done.stderr
    assert "WORKBENCH_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_one_sentence(home, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.files.os.fsync", full)
    assert main(["rank", "--task", "emoji-fluent"]) == 1
    printed = capsys.readouterr().err
    assert "No space left" in printed
    assert "free some space" in printed
    assert not list((home.tasks).glob("emoji-fluent/*"))


def test_a_taken_port_is_said(home, capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1
    assert f"PORT={port + 1}" in capsys.readouterr().err


def test_a_port_that_there_is_not_is_said(home, capsys):
    assert main(["serve", "--port", "99999"]) == 1
    assert "There is no port 99999: choose one up to 65535" in capsys.readouterr().err


def test_a_workspace_without_runs_says_so(home, capsys):
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == "No runs yet.\n"
    assert main(["runs", "--state", "failed"]) == 0
    assert "No runs that are failed." in capsys.readouterr().out
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}


def test_a_table_without_rows_is_its_titles(capsys):
    print_table([], ("name", "training_images"))
    assert capsys.readouterr().out.splitlines() == ["name  training images", "----  ---------------"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no way to take a process's place")
def test_the_server_takes_the_place_of_the_command_that_starts_it(home, monkeypatch):
    """So `kill` of that command leaves nothing behind."""
    started = []
    monkeypatch.setattr(os, "execv", lambda path, command: started.append(command) or sys.exit(0))
    monkeypatch.setattr(os, "chdir", lambda path: None)
    monkeypatch.setenv("WORKBENCH_HOSTS", "one.example")
    monkeypatch.setenv("WORKBENCH_HOME", os.path.relpath(home.path))
    with pytest.raises(SystemExit):
        main(["serve", "--port", "0", "--host-name", "two.example"])
    assert os.environ["WORKBENCH_HOSTS"] == "one.example,two.example"
    assert Path(os.environ["WORKBENCH_HOME"]).is_absolute(), "the server runs in another folder"
    assert started[0][1:4] == ["-m", "streamlit", "run"]
    assert main(["serve", "--port", "0", "--host-name", "https://x"]) == 1


def test_the_damaged_copy_of_a_task_is_one_sentence(home, capsys):
    assert main(["tasks"]) == 0
    shutil.copy(ROOT / "LICENSE", home.tasks / "emoji-fluent" / "images.parquet")
    capsys.readouterr()
    assert main(["rank", "--task", "emoji-fluent"]) == 1
    assert "is damaged" in capsys.readouterr().err
    assert main(["tasks", "--json"]) == 0  # the others are still listed
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert "quickdraw" in {task["name"] for task in found["tasks"]}
    assert [(one["name"], "is damaged" in one["problem"]) for one in found["left_out"]] == [("emoji-fluent", True)]
    assert "left out: emoji-fluent" in printed.err


def test_a_terminal_that_cannot_show_a_sign_shows_its_code():
    command = [sys.executable, "-m", "engine", "benchmark", "assets/results/emoji-fluent.json"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert r"\u2212" in done.stdout  # a minus sign


def test_a_command_is_ready_before_the_compiler_could_load(monkeypatch):
    done = []
    monkeypatch.setattr(entry, "worker_environment", dict)
    monkeypatch.setattr(entry, "defer_compiler", lambda: done.append("deferred"))
    monkeypatch.setattr(entry, "main", lambda arguments, **_: done.append("began") or 0)
    entry.run()
    entry.script()
    assert done == ["deferred", "began"] * 2
