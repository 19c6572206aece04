"""The command line: everything that the app does, without a browser. Progress goes to standard error."""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from engine.cli import import_images, tasks, teachers
from engine.cli.printing import (
    JobLines,
    ProgressLine,
    print_benchmark,
    print_comparison,
    print_json,
    print_panel,
    print_ranking,
)
from engine.errors import InvalidInputError, UnavailableError, WorkbenchError
from engine.files import make_folder, workspace

APP = Path(__file__).resolve().parents[2] / "app" / "server.py"
CANCELLED = 130  # exit status after Ctrl-C, as shells have it


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status: 0, or 1 with one sentence on standard error, or 2 for bad usage."""
    options = _parser().parse_args(list(arguments))
    try:
        result: int = options.run(options)
        return result
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return CANCELLED
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine",
        description="Find the pretrained networks that fit your images, and distill them into one small student.",
    )
    parser.set_defaults(run=lambda _: _help(parser))
    verbs = parser.add_subparsers(metavar="COMMAND")

    def verb(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    tasks.add_parser(verbs)
    teachers.add_parser(verbs)

    ranking = verb("rank", _rank, "rank all teachers by their similarity to a task")
    _task_options(ranking)
    ranking.add_argument("--seed", type=int, default=0, help="which labeled images are drawn (default 0)")
    ranking.add_argument(
        "--resamples", type=int, default=0, help="draws of half the labels, for intervals; 200 are plenty (default 0)"
    )

    import_images.add_arguments(
        verb("import", import_images.run, "make a task of your own images: a folder, a ZIP, a table")
    )

    compare = verb("compare", _compare, "train students with several methods, and compare them")
    _task_options(compare)
    compare.add_argument(
        "--methods",
        default="fine-tune,fixmatch,distill-weighted,distill-consensus",
        help="comma-separated; distill-weighted(4) sets p, distill-consensus(neighbors=0) a training field",
    )
    compare.add_argument("--seeds", default="0", help="comma-separated (default 0)")
    compare.add_argument("--images", type=int, help="budget of each run: student images with gradient")
    compare.add_argument("--architecture", help="the student: any timm architecture")
    compare.add_argument("--start", choices=("imagenet", "random"), help="the student's first weights")
    compare.add_argument("--size", type=int, help="the student's input size, in pixels")
    compare.add_argument("--labeled-share", type=float, help="λ, the labels' share of the distillation loss (0..1)")
    compare.add_argument("--views", type=int, help="K, the number of fixed views that the teachers describe")
    compare.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="any other training field")

    benchmark = verb("benchmark", _benchmark, "put comparisons of several tasks into one table of gains")
    benchmark.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what `compare --json` printed")
    benchmark.add_argument("--json", action="store_true", help="print one JSON document")

    work = verb("work", _work, "work on the queue until it is empty")
    work.add_argument("--device", help="auto, cuda, mps or cpu")

    export = verb("export", _export, "write a finished run's student as files")
    export.add_argument("run_id", metavar="RUN", help="a run's name, as compare prints it")
    export.add_argument("--out", required=True, type=Path, help="a folder that does not exist yet")

    serve = verb("serve", _serve, "open the workbench in the browser")
    serve.add_argument("--port", type=int, default=8501)
    serve.add_argument("--address", default="localhost", help="the address to listen on (default: this machine only)")
    serve.add_argument(
        "--host-name", action="append", default=[], help="a further name that browsers call it by, such as a proxy's"
    )

    shielded = verb("confinement", _confinement, "say what this system denies to the processes that read users' files")
    shielded.add_argument("--json", action="store_true", help="print one JSON document")

    job = verb("job", _job, "do one queued job in this process (the queue calls this)")
    job.add_argument("folder", type=Path)
    return parser


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _task_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", required=True)
    parser.add_argument("--metric", default="parc", help="the similarity metric (default parc); rank takes all, too")
    parser.add_argument("--labels-per-class", type=int, default=5)
    parser.add_argument("--teachers", help="comma-separated; all by default")
    parser.add_argument("--device", help="auto, cuda, mps or cpu")
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def _rank(options: argparse.Namespace) -> int:
    from engine.devices import resolve
    from engine.runs.panel import ALL, SCORING, as_document, teacher_panel
    from engine.tasks import open_task

    home, named = make_folder(workspace()), _names(options.teachers)
    task = open_task(options.task, home)
    found = teacher_panel(
        home,
        task,
        metrics=None if options.metric == ALL else [options.metric],
        labels_per_class=options.labels_per_class,
        seed=options.seed,
        teachers=named,
        resamples=options.resamples,
        device=resolve(options.device),
        progress=ProgressLine("images × teachers", {SCORING: "scorings"}),
    )
    document = as_document(found, task, named)
    if options.json:
        return print_json(document)
    if len(found.metrics) == 1:
        print_ranking(document)
    else:
        print_panel(document)
    for left_out in document["excluded"]:
        print(f"left out: {left_out['teacher']}: {left_out['reason']}")
    for unranked in document["unranked"]:
        print(f"not ranked: {unranked['teacher']}: {unranked['reason']}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.runs import QueueThread, as_document, finished_results, lost_runs, plan, runs_root, start
    from engine.tasks import open_task

    home = make_folder(workspace())
    task = open_task(options.task, home)
    changes = {
        name: value
        for name in ("images", "architecture", "start", "size", "labeled_share", "views")
        if (value := getattr(options, name)) is not None
    }
    specs = plan(
        task,
        _names(options.methods) or [],
        [_integer("--seeds", seed) for seed in _names(options.seeds) or []],
        labels_per_class=options.labels_per_class,
        device=options.device,
        metric=options.metric,
        teachers=_names(options.teachers),
        **changes,
        **_fields(options.set),
    )
    comparison = start(home, specs)
    waited = [jobs.load(runs_root(home) / run) for run in comparison.runs]
    queue = QueueThread(home, specs[0].device, until_empty=True)
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
    document = as_document(comparison, finished_results(home, comparison))
    document["command"] = " ".join(["python -m engine", *sys.argv[1:]])
    lost = lost_runs(home, comparison)
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


def _benchmark(options: argparse.Namespace) -> int:
    from engine.benchmark import as_document, tabulate
    from engine.files import read_json

    table = tabulate([read_json(path) for path in options.files])
    return print_json(as_document(table)) if options.json else print_benchmark(table)


def _work(options: argparse.Namespace) -> int:
    from engine.devices import resolve
    from engine.runs import drain, waiting

    home, device = make_folder(workspace()), resolve(options.device)
    queued = len(waiting(home, device))
    print(f"{queued} {'job waits' if queued == 1 else 'jobs wait'} for {device}.", file=sys.stderr)
    drain(home, device, until_empty=True, on_change=JobLines(queued))
    return 0


def _export(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.errors import UnknownNameError
    from engine.export import export_student
    from engine.runs import runs_root

    known = [job.id for job in jobs.list_jobs(runs_root(workspace()))]
    if options.run_id not in known:
        raise UnknownNameError("run", options.run_id, known)
    for path in export_student(runs_root(workspace()) / options.run_id, options.out):
        print(path)
    return 0


def _confinement(options: argparse.Namespace) -> int:
    from engine.confinement import as_json, protections

    if options.json:
        return print_json({what: as_json(held) for what, held in protections().items()})
    _say_what_is_denied(sys.stdout)
    return 0


def _say_what_is_denied(out: TextIO) -> None:
    from engine.confinement import protections

    for what, held in protections().items():
        print(held.sentence(what), file=out, flush=True)


def _serve(options: argparse.Namespace) -> int:
    from engine.tasks.settings import checked_host_names, host_names

    home = make_folder(workspace()).absolute()  # the server runs in another folder
    host_names()  # what is wrong with the settings is said now
    names = checked_host_names([*os.environ.get("WORKBENCH_HOSTS", "").split(","), *options.host_name])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.address, options.port))
        except OSError as error:
            raise UnavailableError(
                f"Port {options.port} cannot be used ({error.strerror}): stop what listens there, or choose another "
                f"one, such as `make run PORT={options.port + 1}`."
            ) from error
    _say_what_is_denied(sys.stderr)
    command = [sys.executable, "-m", "streamlit", "run", str(APP)]
    command += [f"--server.port={options.port}", f"--server.address={options.address}", "--server.headless=true"]
    os.environ |= {"WORKBENCH_HOSTS": ",".join(names), "WORKBENCH_HOME": str(home)}
    os.chdir(APP.parents[1])
    if os.name != "nt":  # the server takes this process's place, and so every signal that is meant for it
        os.execv(command[0], command)
    try:
        return subprocess.call(command)
    except KeyboardInterrupt:
        return 0


def _job(options: argparse.Namespace) -> int:
    from engine.handlers import HANDLERS
    from engine.jobs import processes, worker

    processes.give_way()
    return worker.run(options.folder, HANDLERS)


def _names(text: str | None) -> list[str] | None:
    """The names in a comma-separated list; commas in brackets do not separate."""
    parts = None if text is None else re.split(r",(?![^(]*\))", text)
    return parts and [name.strip() for name in parts if name.strip()]


def _integer(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInputError(f"{option}: {text!r} is not a whole number.") from None


def _fields(settings: Sequence[str]) -> dict[str, Any]:
    """`--set field=value`: numbers where they are numbers, text otherwise."""
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise InvalidInputError(f"--set {setting!r}: write it as field=value.")
        try:
            found[name.strip()] = json.loads(text)
        except ValueError:
            found[name.strip()] = text.strip()
    return found
