"""`python -m engine runs`: all runs of the workspace; show, watch, cancel, resume or delete one."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

from engine.cli.confirming import confirmed
from engine.cli.options import add_command, add_json
from engine.cli.printing import print_json, print_rows
from engine.files import in_words
from engine.wording import count, duration, listed, percent
from engine.workspace import Workspace

NAMED = 3  # comparisons that are named; more are counted


def add_parser(verbs: Any) -> None:
    """Add `runs` and the commands under it to the command line."""
    runs = add_command(verbs, "runs", _runs, "list the runs; show, watch, cancel, resume, delete", __doc__)
    runs.add_argument("--state", help="only those that are queued, running, done, failed, cancelled ...")
    add_json(runs)
    below = runs.add_subparsers(metavar="show | watch | cancel | resume | delete")
    show = _of_a_run(below, "show", _show, "say how a run is")
    show.add_argument("--spec", action="store_true", help="print the file for `run` that gives this very run")
    add_json(show)
    _of_a_run(below, "watch", _watch, "follow a run until it ends; Ctrl-C stops watching, not the run")
    cancel = _of_a_run(below, "cancel", _cancel, "cancel a run; it can be resumed")
    cancel.add_argument("--force", action="store_true", help="end its process at once, if it does not answer any more")
    _of_a_run(below, "resume", _resume, "queue a stopped run again; it goes on from its checkpoint")
    delete = add_command(below, "delete", _delete, "move runs to the trash; asks first")
    delete.add_argument("ids", metavar="ID", nargs="+", help="or the beginning of one")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def _of_a_run(below: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser = add_command(below, name, run, text)
    parser.add_argument("id", metavar="ID", help="of a run, or the beginning of one")
    return parser


def _runs(options: argparse.Namespace) -> int:
    from engine.runs import listed_runs

    found = [run for run in listed_runs(Workspace.from_environment()) if options.state in (None, run.state)]
    if not found and not options.json:
        print("No runs yet." if options.state is None else f"No runs that are {options.state}.")
        return 0
    rows = [{**asdict(run), "progress": _progress(run)} for run in found]
    document = {"runs": [asdict(run) for run in found]}
    return print_rows(options, document, rows, ("run", "task", "method", "seed", "state", "progress", "where"))


def _progress(run: Any) -> str:
    share = "" if run.progress is None else percent(run.progress, 0)
    left = "" if run.seconds_left is None else f", {duration(run.seconds_left)} left"
    return f"{share}{left}" if run.state not in ("running", "paused") or share else run.stage


def _show(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.records import as_value
    from engine.results import accuracy_sentence
    from engine.runs import LostRun, as_spec_file, listed, read_run, run_named

    workspace = Workspace.from_environment()
    job = run_named(workspace, options.id)
    read = read_run(workspace, job.id)
    if isinstance(read, LostRun):
        print(f"error: {read.problem}", file=sys.stderr)
        return 1
    if options.spec:
        return print_json(as_spec_file(read.spec))
    now = jobs.status(job)
    if options.json:
        result = None if read.result is None else as_value(read.result)
        return print_json({**asdict(listed(workspace, job, now)), "status": as_value(now), "result": result})
    shown = asdict(listed(workspace, job, now))
    told = {name: shown[name] for name in ("run", "task", "method", "seed", "state", "where")}
    told["created"] = now.created.isoformat(timespec="seconds")
    if now.state == "running":
        told["progress"] = f"{now.stage}: {_progress(listed(workspace, job, now))}"
    told["worked for"] = duration(now.seconds)
    told["message"] = now.message or read.problem
    told["result"] = None if read.result is None else accuracy_sentence(read.result)
    told["folder"] = str(job.folder)
    for name, value in told.items():
        if value is not None:
            print(f"{name + ':':<12} {value}")
    return 0


def _watch(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.progress import JobLines
    from engine.runs import run_named

    job = run_named(Workspace.from_environment(), options.id)
    lines = JobLines(1)
    if (now := jobs.status(job)).state == "queued":
        print(f"{job.id} waits in the queue of {job.lane}; the app or `work` starts it.", file=sys.stderr)
    try:
        now = jobs.wait([job], lines)[job]
    except KeyboardInterrupt:
        print("Stopped watching; the run goes on.", file=sys.stderr)
        return 0
    return 0 if now.state == "done" else 1


def _cancel(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.runs import run_named

    job = run_named(Workspace.from_environment(), options.id)
    now = jobs.end_now(job) if options.force else jobs.request_cancel(job)
    print(f"{job.id} {'is being stopped' if now.cancel_requested else f'is {now.state}'}.")
    return 0


def _resume(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.runs import run_named

    job = run_named(Workspace.from_environment(), options.id)
    jobs.resume(job)
    print(f"{job.id} waits in the queue of {job.lane}; the app or `work` starts it.")
    return 0


def _delete(options: argparse.Namespace) -> int:
    from engine.runs import remove_run, run_named, users_of_run

    workspace = Workspace.from_environment()
    chosen = {(job := run_named(workspace, one)).id: job for one in options.ids}
    users = {run: users_of_run(workspace, run) for run in chosen}
    for run, used in users.items():
        print(f"{run}: {in_words(used.size)}{_used_by(used.comparisons)}")
    size = in_words(sum(used.size for used in users.values()))
    if not confirmed(f"Move {count(len(chosen), 'run')} ({size}) to the trash?", yes=options.yes):
        print("Nothing was deleted.")
        return 1
    for job in chosen.values():
        remove_run(workspace, job)
    print(
        f"Moved {count(len(chosen), 'run')} to the trash; `trash restore ID` puts one back, `trash empty` frees {size}."
    )
    return 0


def _used_by(comparisons: Any) -> str:
    """Which comparisons lose a run."""
    if not comparisons:
        return ", part of no comparison"
    more = [f"{len(comparisons) - NAMED} more"] if len(comparisons) > NAMED else []
    return (
        f", part of {listed([*comparisons[:NAMED], *more])}, which then lack{'s' if len(comparisons) == 1 else ''} it"
    )
