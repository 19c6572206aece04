"""The command line: everything that the app does, without a browser. Progress goes to standard error."""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine import cli_import, cli_teachers
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

    verb("tasks", _tasks, "list the tasks").add_argument("--json", action="store_true", help="print one JSON document")
    cli_teachers.add_parser(verbs, _print_rows, ProgressLine)

    ranking = verb("rank", _rank, "rank all teachers by their similarity to a task")
    _task_options(ranking)
    ranking.add_argument("--seed", type=int, default=0, help="which labeled images are drawn (default 0)")
    ranking.add_argument(
        "--resamples", type=int, default=0, help="draws of half the labels, for intervals; 200 are plenty (default 0)"
    )

    cli_import.add_arguments(verb("import", _import, "make a task of your own images: a folder, a ZIP, a table"))

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
        return _print_json(document)
    if len(found.metrics) == 1:
        _print_ranking(document)
    else:
        _print_panel(document)
    for left_out in document["excluded"]:
        print(f"left out: {left_out['teacher']}: {left_out['reason']}")
    for unranked in document["unranked"]:
        print(f"not ranked: {unranked['teacher']}: {unranked['reason']}")
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


def _benchmark(options: argparse.Namespace) -> int:
    from engine.benchmark import as_document, tabulate
    from engine.files import read_json

    table = tabulate([read_json(path) for path in options.files])
    return _print_json(as_document(table)) if options.json else _print_benchmark(table)


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
    with suppress(OSError):  # Linux may weigh whole sessions, and a worker is one: then this is what counts
        Path("/proc/self/autogroup").write_text(str(WORKER_NICENESS))
    return worker.run(options.folder, HANDLERS)


class ProgressLine:
    """Progress of one piece of work on standard error, with rate and time left: at most one line a second."""

    def __init__(self, unit: str, units: Mapping[str, str] | None = None) -> None:
        self.unit, self.units = unit, units or {}  # of most stages, and of those that count something else
        self.began, self.printed, self.stage = time.monotonic(), 0.0, ""

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
        unit = self.units.get(stage, self.unit)
        print(f"{stage}: {_progress(done, total, unit, rate, left)}", file=sys.stderr)


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
    text = [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(titles[c]), *(len(line[i]) for line in text)) for i, c in enumerate(columns)]
    for line in [[titles[c] for c in columns], ["-" * width for width in widths], *text]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_ranking(document: Mapping[str, Any]) -> None:
    """The teachers under one metric."""
    if document["problem"]:
        print(f"No ranking is possible: {document['problem']}")
        return
    print(f"{document['metric']} on {_labels(document)} (higher is better)")
    places = [{**row, "score": row["similarity"]} for row in document["ranking"]]
    rows = [{**_place_cells(p, ".2f"), "collection": p["collection"], "relation": p["relation"]} for p in places]
    _print_table(rows, tuple(rows[0]))
    if document["doubt"]:
        print(f"no intervals: {document['doubt']}")
    _print_undecided(document["undecided"], rows[0]["teacher"])


def _print_panel(document: Mapping[str, Any]) -> None:
    """The consensus of all metrics, and who comes first under each."""
    if consensus := document["consensus"]:
        count = len(consensus["metrics"])
        print(f"Mean rank over the {count} metrics that look at the labels, on {_labels(document)}")
        print("(lower is better; 1 is first under every metric)")
        rows = [_place_cells(place, ".1f", "mean rank") for place in consensus["places"]]
        _print_table(rows, tuple(rows[0]))
        _print_undecided(consensus["undecided"], rows[0]["teacher"])
        print()
    rows = []
    for found in document["metrics"]:
        if found["problem"]:
            continue
        cells = _place_cells(found["places"][0], ".4g")
        alike = sum(place["rank"] == 1 for place in found["places"])
        first = cells.pop("teacher") if alike == 1 else f"{alike} alike"
        del cells["rank"]
        rows.append({"metric": found["metric"], "first": first, **cells, "unit": found["unit"]})
    if rows:
        print("First under each metric (higher is better)")
        _print_table(rows, tuple(rows[0]))
    for found in document["metrics"]:
        if found["problem"]:
            print(f"{found['metric']}: no ranking: {found['problem']}")
        elif found["doubt"]:
            print(f"{found['metric']}: no intervals: {found['doubt']}")


def _place_cells(place: Mapping[str, Any], form: str, score: str = "similarity") -> dict[str, str]:
    """A teacher's place as the cells of a row; interval and share of first places where there are any."""
    cells = {"rank": str(place["rank"]), "teacher": place["teacher"], score: f"{place['score']:{form}}"}
    if interval := place["interval"]:
        cells[f"{100 * interval['level']:.0f} % interval"] = f"{interval['low']:{form}} to {interval['high']:{form}}"
        cells["first in"] = f"{100 * place['probability_first']:.0f} %"
    return cells


def _print_undecided(undecided: Sequence[Sequence[str]] | None, first: str) -> None:
    """Who may as well be first."""
    others = [name for pair in undecided or () if first in pair for name in pair if name != first]
    if others:
        print(f"not told apart from {first}: {', '.join(others)}")


def _labels(document: Mapping[str, Any]) -> str:
    drawn = f", {document['resamples']} draws of half of them" if document["resamples"] else ""
    return f"{document['labeled_images']} labeled images of {document['task']}{drawn}"


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
                "at equal seconds": "" if (at := mean["at_equal_seconds"]) is None else f"{100 * at:.1f}",
            }
        )
    if rows:
        _print_table(rows, tuple(rows[0]))
    for result in document["results"]:
        print(f"run {result['run']}: {100 * result['accuracy']:.1f} %")


def _print_benchmark(table: Any) -> int:
    common = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in table.common.items())
    print(f"Accuracy in % of held-out images (higher is better); shared: {common}")
    cells = {(cell.task, cell.method): cell for cell in table.cells}
    rows = []
    for task in table.tasks:
        own = [cell for cell in table.cells if cell.task == task]
        counts = sorted({len(cell.seeds) for cell in own})
        seeds = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        row: dict[str, Any] = {"task": task, "seeds": seeds, "test images": own[0].test_images}
        for method in table.methods:
            cell = cells.get((task, method))
            row[method] = "" if cell is None else f"{100 * cell.accuracy:.1f} {_points(cell.interval, '')}"
        rows.append(row)
    _print_table(rows, tuple(rows[0]))
    _print_gains("Gain in points, paired by task and seed (above 0 is better)", table.gains)
    if table.without_relatives:
        left_out = ", ".join(table.related)
        _print_gains(
            f"The same without tasks whose collection a teacher knows in part ({left_out})", table.without_relatives
        )
    return 0


def _print_gains(title: str, gains: Sequence[Any]) -> None:
    rows = [
        {
            "method": gain.method,
            "over": gain.reference,
            "mean": f"{100 * gain.mean:+.1f}",
            "other seeds": _points(gain.over_seeds, "+"),
            "other tasks too": _points(gain.over_tasks, "+"),
            "tasks": len(gain.by_task),
            "seeds": len(gain.seeds),
            "by task": ", ".join(f"{task} {100 * value:+.1f}" for task, value in gain.by_task.items()),
        }
        for gain in gains
    ]
    if rows:
        print(f"\n{title}")
        _print_table(rows, tuple(rows[0]))


def _points(interval: Any, sign: str) -> str:
    return "unknown" if interval is None else f"({100 * interval.low:{sign}.1f} to {100 * interval.high:{sign}.1f})"


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
