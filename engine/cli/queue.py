"""`python -m engine work` drains the queue; `job` does one job, as the queue has it done."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.cli.options import add_command, add_engine
from engine.progress import JobLines
from engine.workspace import Workspace


def add_parser(verbs: Any) -> None:
    """Add `work` and `job` to the command line."""
    work = add_command(verbs, "work", _work, "work on the queue until it is empty")
    work.add_argument("--device", help="auto, cuda (all cards), cuda:1 (that one), mps or cpu")
    add_engine(work)
    job = add_command(verbs, "job", _job, "do one queued job in this process (the queue calls this)")
    job.add_argument("folder", type=Path)
    waits = "load what the jobs of a lane need, and wait for one (the queue calls this)"
    warm = add_command(verbs, "warm", _warm, waits)
    warm.add_argument("lane")
    warm.add_argument("channel", type=int, help="the file descriptor of the queue's socket")


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
    queued = len(queued_jobs(workspace.job_folders, engine))
    _say_waiting(queued, engine)
    dispatch(workspace, engine, until_empty=True, on_change=JobLines(queued))
    return 0


def _say_waiting(queued: int, where: str) -> None:
    print(f"{queued} {'job waits' if queued == 1 else 'jobs wait'} for {where}.", file=sys.stderr)


def _job(options: argparse.Namespace) -> int:
    from engine.handlers import HANDLERS
    from engine.jobs import processes, worker

    processes.give_way()
    return worker.run(options.folder, HANDLERS)


def _warm(options: argparse.Namespace) -> int:
    from engine.handlers import HANDLERS, load_for
    from engine.jobs import processes, wait_for_job, worker

    processes.give_way()
    folder = wait_for_job(options.channel, lambda: load_for(options.lane))
    return worker.run(folder, HANDLERS) if folder else 0
