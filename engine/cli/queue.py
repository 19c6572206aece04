"""`python -m engine queue` shows and pauses the queue, `work` drains it; `job` does one job, as it has it done."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.cli.options import add_command, add_engine, add_json
from engine.cli.printing import print_json, print_table
from engine.progress import JobLines
from engine.wording import duration
from engine.workspace import Workspace

PAUSED = "The queue is paused: what runs goes on to its end, no further run begins until `queue go-on`."


def add_parser(verbs: Any) -> None:
    """Add `queue`, `work` and `job` to the command line."""
    queue = add_command(verbs, "queue", _queue, "say what runs and what waits for what; next, pause, go-on")
    add_json(queue)
    below = queue.add_subparsers(metavar="next | pause | go-on")
    first = add_command(below, "next", _next, "let a waiting job be the next one of its lane")
    first.add_argument("id", metavar="ID", help="of a job or run that waits, or the beginning of one")
    add_command(below, "pause", _pause, "let no further run begin, until `queue go-on`; what runs goes on")
    add_command(below, "go-on", _go_on, "let the queue begin what waits")
    work = add_command(verbs, "work", _work, "work on the queue until it is empty")
    work.add_argument("--device", help="auto, cuda (all cards), cuda:1 (that one), mps or cpu")
    add_engine(work)
    job = add_command(verbs, "job", _job, "do one queued job in this process (the queue calls this)")
    job.add_argument("folder", type=Path)
    waits = "load what the jobs of a lane need, and wait for one (the queue calls this)"
    warm = add_command(verbs, "warm", _warm, waits)
    warm.add_argument("lane")
    warm.add_argument("channel", type=int, help="the file descriptor of the queue's socket")


def _queue(options: argparse.Namespace) -> int:
    from engine.runs import is_paused, waiting_jobs

    workspace = Workspace.from_environment()
    rows = [asdict(job) for job in waiting_jobs(workspace)]
    if options.json:
        return print_json({"paused": is_paused(workspace), "jobs": rows})
    if is_paused(workspace):
        print(PAUSED)
    shown = [
        {
            **row,
            "waits_for": ", ".join(row["waits_for"]) + _more(row["ahead"] - len(row["waits_for"])),
            "begins_in": _about(row["begins_in"]) if row["state"] == "queued" else "",
            "takes": _about(row["takes"]),
        }
        for row in rows
    ]
    if not shown:
        print("Nothing runs or waits.")
        return 0
    print_table(shown, ("job", "state", "lane", "begins_in", "takes", "waits_for"))
    return 0


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _about(seconds: float | None) -> str:
    return "not known" if seconds is None else duration(seconds)


def _next(options: argparse.Namespace) -> int:
    from engine.jobs import put_first
    from engine.runs import open_job_named

    job = open_job_named(Workspace.from_environment(), options.id)
    put_first(job)
    print(f"{job.id} is the next one of {job.lane}.")
    return 0


def _pause(options: argparse.Namespace) -> int:
    from engine.runs import pause

    pause(Workspace.from_environment())
    print(PAUSED)
    return 0


def _go_on(options: argparse.Namespace) -> int:
    from engine.runs import go_on

    go_on(Workspace.from_environment())
    print("The queue goes on.")
    return 0


def _work(options: argparse.Namespace) -> int:
    from engine.devices import kind
    from engine.jobs import queued_jobs
    from engine.runs import LOCAL, dispatch, drain, hand_over, place_of, waiting

    workspace, engine = Workspace.from_environment(), options.engine or LOCAL
    device, _ = place_of(workspace, engine, options.device)
    if engine == LOCAL:
        queued = len(waiting(workspace, device))
        _say_waiting(queued, device)
        drain(workspace, device, until_empty=True, on_change=JobLines(queued), warm=kind(device) == "cuda")
        return 0
    hand_over(workspace, engine, device)
    queued = len(queued_jobs(workspace.queued_folders, engine))
    _say_waiting(queued, engine)
    dispatch(workspace, engine, until_empty=True, on_change=JobLines(queued))
    return 0


def _say_waiting(queued: int, where: str) -> None:
    from engine.runs import is_paused

    if is_paused(Workspace.from_environment()):
        print(PAUSED, file=sys.stderr)
    print(f"{queued} {'job waits' if queued == 1 else 'jobs wait'} for {where}.", file=sys.stderr)


def _begin_worker() -> None:
    """What holds for this process from now on, since it does one job and then ends."""
    from engine.jobs import memory, processes

    processes.give_way()
    memory.keep_freed()


def _job(options: argparse.Namespace) -> int:
    from engine.handlers import HANDLERS
    from engine.jobs import worker

    _begin_worker()
    return worker.run(options.folder, HANDLERS)


def _warm(options: argparse.Namespace) -> int:
    from engine.handlers import HANDLERS, load_for
    from engine.jobs import wait_for_job, worker

    _begin_worker()
    folder = wait_for_job(options.channel, lambda: load_for(options.lane))
    return worker.run(folder, HANDLERS) if folder else 0
