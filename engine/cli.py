"""The command line: everything that the app does, without a browser. Progress goes to standard error."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine import cli_import
from engine.errors import InvalidInputError, UnavailableError, WorkbenchError
from engine.files import make_folder, workspace

APP = Path(__file__).resolve().parents[1] / "app" / "main.py"
WORKER_NICENESS = 5  # a worker leaves the processor to the app and to whatever else its user does
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

    for name, run, text in (
        ("tasks", _tasks, "list the tasks"),
        ("teachers", _teachers, "list the teachers"),
    ):
        verb(name, run, text).add_argument("--json", action="store_true", help="print one JSON document")

    ranking = verb("rank", _rank, "rank all teachers by their similarity to a task")
    _task_options(ranking)
    ranking.add_argument("--seed", type=int, default=0, help="which labeled images are drawn (default 0)")

    cli_import.add_arguments(verb("import", _import, "make a task of your own images: a folder, a ZIP, a table"))

    compare = verb("compare", _compare, "train students with several methods, and compare them")
    _task_options(compare)
    compare.add_argument(
        "--methods", default="fine-tune,fixmatch,distill-weighted", help="comma-separated; distill-weighted(4) sets p"
    )
    compare.add_argument("--seeds", default="0", help="comma-separated (default 0)")
    compare.add_argument("--images", type=int, help="budget of each run: student images with gradient")
    compare.add_argument("--architecture", help="the student: any timm architecture")
    compare.add_argument("--start", choices=("imagenet", "random"), help="the student's first weights")
    compare.add_argument("--size", type=int, help="the student's input size, in pixels")
    compare.add_argument("--labeled-share", type=float, help="λ, the labels' share of the distillation loss (0..1)")
    compare.add_argument("--views", type=int, help="K, the number of fixed views that the teachers describe")
    compare.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="any other training field")

    work = verb("work", _work, "work on the queue until it is empty")
    work.add_argument("--device", help="auto, cuda, mps or cpu")

    export = verb("export", _export, "write a finished run's student as files")
    export.add_argument("run_id", metavar="RUN", help="a run's name, as compare prints it")
    export.add_argument("--out", required=True, type=Path, help="a folder that does not exist yet")

    serve = verb("serve", _serve, "open the workbench in the browser")
    serve.add_argument("--port", type=int, default=8501)
    serve.add_argument("--address", default="localhost", help="the address to listen on (default: this machine only)")

    job = verb("job", _job, "do one queued job in this process (the queue calls this)")
    job.add_argument("folder", type=Path)
    return parser


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _task_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", required=True)
    parser.add_argument("--metric", default="parc", help="the similarity metric (default parc)")
    parser.add_argument("--labels-per-class", type=int, default=5)
    parser.add_argument("--teachers", help="comma-separated; all by default")
    parser.add_argument("--device", help="auto, cuda, mps or cpu")
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def _tasks(options: argparse.Namespace) -> int:
    from engine.tasks import open_task, task_names

    home = workspace()
    tasks = [open_task(name, home) for name in task_names(home)]
    rows = [
        {
            "name": t.name,
            "title": t.record.title,
            "classes": len(t.classes),
            "training_images": len(t.train_rows),
            "test_images": len(t.test_rows),
            "labels_per_class_at_least": int(t.available_labels().min()),
            "collection": t.record.collection,
            "license": t.record.license,
        }
        for t in tasks
    ]
    shown = ("name", "classes", "training_images", "test_images", "title")
    return _print_rows(options, {"tasks": rows}, rows, shown)


def _teachers(options: argparse.Namespace) -> int:
    from engine.teachers import all_teachers, as_json

    records = [as_json(record) for record in all_teachers()]
    rows = [
        {
            **record,
            "classes": len(record["classes"]),
            "accuracy": f"{100 * record['held_out_accuracy']:.1f} % {record['accuracy_source']}",
            "million_parameters": f"{record['parameters'] / 1e6:.2f}",
            "gflops": f"{record['gflops']:.3f}",
        }
        for record in records
    ]
    shown = ("name", "architecture", "classes", "input_size", "accuracy", "million_parameters", "gflops", "collection")
    return _print_rows(options, {"teachers": records}, rows, shown)


def _rank(options: argparse.Namespace) -> int:
    from engine.devices import resolve
    from engine.runs import rank
    from engine.tasks import open_task

    home = make_folder(workspace())
    task = open_task(options.task, home)
    ranking = rank(
        home,
        task,
        metric=options.metric,
        labels_per_class=options.labels_per_class,
        seed=options.seed,
        teachers=_names(options.teachers),
        device=resolve(options.device),
        progress=ProgressLine("images × teachers"),
    )
    rows = [
        {
            "rank": r.rank,
            "teacher": r.teacher.name,
            "similarity": r.similarity,
            "collection": r.teacher.collection,
            "relation": r.relation,
        }
        for r in ranking.ranked
    ]
    document = {
        "task": task.name,
        "task_revision": task.revision,
        "metric": ranking.metric,
        "labels_per_class": ranking.labels_per_class,
        "labeled_images": ranking.labeled_images,
        "seed": ranking.seed,
        "problem": ranking.problem,
        "ranking": rows,
        "excluded": [{"teacher": c.teacher.name, "reason": _seen(task.record.title)} for c in ranking.excluded],
    }
    if options.json:
        return _print_json(document)
    if ranking.problem:
        print(f"No ranking is possible: {ranking.problem}")
    else:
        print(f"{ranking.metric} on {ranking.labeled_images} labeled images of {task.name} (higher is better)")
        _print_table([{**row, "similarity": f"{row['similarity']:.2f}"} for row in rows], tuple(rows[0]))
    for candidate in ranking.excluded:
        print(f"left out: {candidate.teacher.name}: {_seen(task.record.title)}")
    return 0


def _import(options: argparse.Namespace) -> int:
    return cli_import.run(options, ProgressLine("images"))


def _compare(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.runs import QueueThread, as_document, finished_results, plan, runs_root, start
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
    document["failed"] = [{"run": job.id, "state": s.state, "message": s.message} for job, s in failed.items()]
    if options.json:
        _print_json(document)
    else:
        _print_comparison(document)
    for job, found in failed.items():
        print(f"error: {job.id} is {found.state}: {found.message}", file=sys.stderr)
    return 1 if failed else 0


def _work(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.devices import resolve
    from engine.runs import roots, worker_command

    home, device = make_folder(workspace()), resolve(options.device)
    waiting = jobs.queued_jobs(roots(home), device)
    print(f"{len(waiting)} jobs wait for {device}.", file=sys.stderr)
    jobs.drain(roots(home), device, worker_command, workspace=home, until_empty=True, on_change=JobLines(len(waiting)))
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


def _serve(options: argparse.Namespace) -> int:
    make_folder(workspace())
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.address, options.port))
        except OSError as error:
            raise UnavailableError(
                f"Port {options.port} cannot be used ({error.strerror}): stop what listens there, or choose another "
                f"one, such as `make run PORT={options.port + 1}`."
            ) from error
    command = [sys.executable, "-m", "streamlit", "run", str(APP)]
    command += [f"--server.port={options.port}", f"--server.address={options.address}", "--server.headless=true"]
    try:
        return subprocess.call(command, cwd=APP.parents[1])
    except KeyboardInterrupt:
        return 0


def _job(options: argparse.Namespace) -> int:
    from engine.handlers import HANDLERS
    from engine.jobs import worker

    if hasattr(os, "nice"):
        os.nice(WORKER_NICENESS)
    return worker.run(options.folder, HANDLERS)


class ProgressLine:
    """Progress of one piece of work on standard error, with rate and time left: at most one line a second."""

    def __init__(self, unit: str) -> None:
        self.unit, self.began, self.printed, self.stage = unit, time.monotonic(), 0.0, ""

    def __call__(self, done: int, total: int, stage: str) -> None:
        """Tell that `done` of `total` units of `stage` are done."""
        moment = time.monotonic()
        if stage != self.stage:
            self.stage, self.began = stage, moment
        if moment - self.printed < 1 and done < total:
            return
        self.printed = moment
        rate = done / (moment - self.began) if moment > self.began else 0.0
        left = (total - done) / rate if rate else None
        print(f"{stage}: {_progress(done, total, self.unit, rate, left)}", file=sys.stderr)


class JobLines:
    """Progress of jobs on standard error: each change of state, and at most one line of progress every two seconds."""

    def __init__(self, total: int) -> None:
        self.total, self.states, self.printed = total, dict[str, str](), 0.0

    def __call__(self, job: Any, now: Any) -> None:
        """Tell how a job is."""
        changed = self.states.get(job.id) != now.state
        self.states[job.id] = now.state
        if changed and now.state != "queued":
            ended = sum(state in ("done", "failed", "cancelled") for state in self.states.values())
            detail = f": {now.message}" if now.message else ""
            print(f"[{ended}/{max(self.total, ended)}] {job.id} {now.state}{detail}", file=sys.stderr)
        elif now.state == "running" and time.monotonic() - self.printed >= 2 and now.total:
            self.printed = time.monotonic()
            line = _progress(now.done, now.total, now.unit, now.rate, now.seconds_left)
            print(f"    {now.stage}: {line}", file=sys.stderr)


def _progress(done: int, total: int, unit: str, rate: float | None, left: float | None) -> str:
    text = f"{done:,} of {total:,} {unit}"
    if rate:
        text += f", {rate:,.0f} a second"
    if left is not None and done < total:
        text += f", {left // 60:.0f} min {left % 60:.0f} s left"
    return text


def _print_rows(
    options: argparse.Namespace, document: dict[str, Any], rows: list[dict[str, Any]], shown: tuple[str, ...]
) -> int:
    if options.json:
        return _print_json(document)
    _print_table(rows, shown)
    return 0


def _print_json(document: Any) -> int:
    print(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))
    return 0


def _print_table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    titles = {column: column.replace("_", " ") for column in columns}
    text = [[str(row[column]) for column in columns] for row in rows]
    widths = [max(len(titles[c]), *(len(line[i]) for line in text)) for i, c in enumerate(columns)]
    for line in [[titles[c] for c in columns], ["-" * width for width in widths], *text]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_comparison(document: dict[str, Any]) -> None:
    shared = document["shared"]
    common = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shared.items())
    print(f"{document['comparison']}: accuracy in % of held-out images (higher is better)\nshared: {common}")
    if document["differs"]:
        print(f"NOT shared: {', '.join(document['differs'])}")
    rows = []
    for mean in document["means"]:
        interval, difference = mean["interval"], mean["difference"]
        rows.append(
            {
                "method": mean["title"],
                "accuracy": f"{100 * mean['accuracy']:.1f}",
                "interval": f"{100 * interval['low']:.1f} to {100 * interval['high']:.1f}",
                "from": interval["method"],
                "to fine-tuning": "" if difference is None else f"{100 * difference['mean']:+.1f}",
                "student images": f"{mean['images']:,}",
                "seconds": f"{mean['seconds']:.0f}",
            }
        )
    if rows:
        _print_table(rows, tuple(rows[0]))
    for result in document["results"]:
        print(f"run {result['run']}: {100 * result['accuracy']:.1f} %")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


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


def _seen(title: str) -> str:
    return f"its training images may include those of {title!r}"
