"""`python -m engine compare`: students trained with several methods, side by side."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from engine.cli.options import add_task_options, fields, integer, names
from engine.cli.printing import print_comparison, print_json
from engine.progress import JobLines
from engine.workspace import Workspace

CANCELLED = 130  # exit status after Ctrl-C, as shells have it


def add_parser(verbs: Any) -> None:
    """Add `compare` to the command line."""
    text = "train students with several methods, and compare them"
    compare = verbs.add_parser("compare", help=text, description=text)
    compare.set_defaults(run=_compare)
    add_task_options(compare)
    compare.add_argument(
        "--methods",
        help="comma-separated; `methods` lists them; NAME(4) sets p, NAME(FIELD=VALUE) a field of one alone",
    )
    compare.add_argument("--seeds", default="0", help="comma-separated (default 0)")
    compare.add_argument("--images", type=int, help="budget of each run: student images with gradient")
    compare.add_argument("--architecture", help="the student: any timm architecture")
    compare.add_argument("--start", choices=("imagenet", "random"), help="the student's first weights")
    compare.add_argument("--size", type=int, help="the student's input size, in pixels")
    compare.add_argument("--labeled-share", type=float, help="λ, the labels' share of the distillation loss (0..1)")
    compare.add_argument("--views", type=int, help="K, the number of fixed views that the teachers describe")
    compare.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="any other training field")


def _compare(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.methods import preselected
    from engine.review import open_task
    from engine.runs import QueueThread, as_document, finished_results, lost_runs, plan, start

    workspace = Workspace.from_environment()
    task = open_task(workspace, options.task)
    changes = {
        name: value
        for name in ("images", "architecture", "start", "size", "labeled_share", "views")
        if (value := getattr(options, name)) is not None
    }
    specs = plan(
        workspace,
        task,
        preselected() if options.methods is None else names(options.methods) or [],
        [integer("--seeds", seed) for seed in names(options.seeds) or []],
        labels_per_class=options.labels_per_class,
        device=options.device,
        metric=options.metric,
        teachers=names(options.teachers),
        **changes,
        **fields(options.set),
    )
    comparison = start(workspace, specs)
    waited = [jobs.load(workspace.runs / run) for run in comparison.runs]
    queue = QueueThread(workspace, specs[0].device, until_empty=True)
    queue.start()
    try:
        ended = jobs.wait(waited, JobLines(len(waited)))
    except KeyboardInterrupt:
        for job in waited:
            jobs.request_cancel(job)
        print("Cancelled; the same command resumes the runs.", file=sys.stderr)
        return CANCELLED
    finally:
        queue.stop()
        queue.join(5)
    if queue.error is not None:
        raise queue.error
    failed = {job: found for job, found in ended.items() if found.state != "done"}
    document = as_document(comparison, finished_results(workspace, comparison))
    document["command"] = " ".join(["python -m engine", *sys.argv[1:]])
    lost = lost_runs(workspace, comparison)
    document["failed"] = [{"run": job.id, "state": s.state, "message": s.message} for job, s in failed.items()]
    document["failed"] += [{"run": found.run, "state": "lost", "message": found.problem} for found in lost]
    if options.json:
        print_json(document)
    else:
        print_comparison(document)
    for job, found in failed.items():
        print(f"error: {job.id} is {found.state}: {found.message}", file=sys.stderr)
    for missing in lost:
        print(f"error: {missing.problem}", file=sys.stderr)
    return 1 if failed or lost else 0
