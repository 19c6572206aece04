"""The commands about teachers: list them, search timm's registry, add one in any of three ways, remove one."""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.cli.options import add_command, add_json
from engine.cli.printing import print_rows
from engine.errors import InvalidInputError
from engine.files import storage_error
from engine.progress import ProgressLine
from engine.wording import listed, percent
from engine.workspace import Workspace

EXAMPLE = "0.485,0.456,0.406"  # a mean
MOST_SHOWN = 40  # rows of a search on a screen; all of them with --json


def add_parser(verbs: Any) -> None:
    """Add `teachers` and the commands under it to the command line."""
    teachers = add_command(verbs, "teachers", _list, "list the teachers; search, add, remove", __doc__)
    add_json(teachers)
    below = teachers.add_subparsers(metavar="search | recommended | add | add-student | remove")

    search = add_command(below, "search", _search, "search timm's pretrained networks, offline")
    search.add_argument("words", nargs="*", metavar="WORD", help="each in the name, the collections or the license")
    search.add_argument("--most-parameters", type=float, metavar="M", help="in millions")
    search.add_argument("--most-gflops", type=float, metavar="G", help="multiply-accumulates / 1e9 of one image")
    search.add_argument("--sizes", metavar="FROM-TO", help="input size in pixels, such as 160-256")
    search.add_argument("--licenses", help="comma-separated, such as apache-2.0,mit")
    search.add_argument("--with-classes", action="store_true", help="only networks that give pseudo-labels")
    add_json(search)

    add_json(add_command(below, "recommended", _recommended, "teachers from fields far apart"))

    add = add_command(below, "add", _add, "add a teacher to the workspace")
    add.add_argument(
        "what",
        metavar="WHAT",
        help="a name of timm's (see search) or owner/name on the hub; a .safetensors, .pt or .pth file with "
        "--architecture; or a .parquet file of features and pseudo-labels with --task",
    )
    add.add_argument("--name", help="made from the title if not given")
    add.add_argument("--title", help="what it knows, in a few words")
    add.add_argument("--collection", help="where its training images come from; comma-separated if several")
    add.add_argument("--license")
    own = "(default: as timm configures the architecture)"
    add.add_argument("--size", type=int, help=f"input size in pixels {own}")
    add.add_argument("--architecture", help="of a checkpoint: timm's name, or architecture.tag")
    add.add_argument("--classes", help="names of its classes: comma-separated, or a file with one on each line")
    add.add_argument("--mean", help=f"of a checkpoint, for pixels in 0..1, such as {EXAMPLE} {own}")
    add.add_argument("--std", help=f"of a checkpoint {own}")
    add.add_argument("--pooling", help=f"how places become one vector: avg, max or token {own}")
    add.add_argument("--prefix", default="", help="of a checkpoint with several networks: how the names of one begin")
    add.add_argument("--ignore", help="of a checkpoint: first words of names that are no part of the network")
    add.add_argument("--task", help="of a table of features and pseudo-labels: the task whose images it describes")
    add.add_argument("--image-column", help="of a table: the column that names the image")

    student = add_command(below, "add-student", _add_student, "add a finished run's student, for other tasks")
    student.add_argument("run_id", metavar="RUN", help="a run's name, as compare prints it")

    remove = add_command(below, "remove", _remove, "remove a teacher that was added, unless a run needs it")
    remove.add_argument("name", metavar="NAME")


def _list(options: argparse.Namespace) -> int:
    from engine.teachers import all_teachers, damaged_teachers

    workspace = Workspace.from_environment()
    records = [asdict(record) for record in all_teachers(workspace)]
    rows = [
        {
            **record,
            "classes": len(record["classes"]),
            "accuracy": _accuracy(record),
            "million_parameters": _number(record["parameters"] or None, 1e6, 2),
            "gflops": _number(record["gflops"] or None, 1, 3),
        }
        for record in records
    ]
    shown = ("name", "origin", "architecture", "classes", "input_size", "accuracy", "million_parameters", "gflops")
    damaged = damaged_teachers(workspace)
    for problem in damaged.values():
        print(f"left out: {problem}", file=sys.stderr)
    return print_rows(options, {"teachers": records, "damaged": damaged}, rows, (*shown, "collection"))


def _search(options: argparse.Namespace) -> int:
    from engine.teachers import search

    found = search(
        " ".join(options.words),
        most_parameters=options.most_parameters,
        most_gflops=options.most_gflops,
        sizes=_sizes(options.sizes),
        licenses=None if options.licenses is None else _listed(options.licenses),
        with_classes=options.with_classes,
    )
    rows = [
        {
            "name": entry.name,
            "classes": entry.classes,
            "size": entry.size,
            "million_parameters": _number(entry.parameters, 1e6, 2),
            "gflops": _number(entry.gflops, 1, 3),
            "license": entry.license or "not stated",
            "collections": ", ".join(entry.collections) or "not known",
        }
        for entry in found
    ]
    if not found and not options.json:
        print("No pretrained network of timm fits: use fewer words, or wider limits.")
        return 0
    shown = ("name", "classes", "size", "million_parameters", "gflops", "license", "collections")
    status = print_rows(options, {"found": [asdict(entry) for entry in found]}, rows[:MOST_SHOWN], shown)
    if len(rows) > MOST_SHOWN and not options.json:
        print(f"{len(rows) - MOST_SHOWN:,} more: add a word or a limit, or take --json.")
    return status


def _recommended(options: argparse.Namespace) -> int:
    from engine.teachers import recommended

    rows = [{**asdict(entry), "add": entry.name} for entry in recommended()]
    return print_rows(options, {"recommended": rows}, rows, ("field", "add", "license", "title", "source"))


def _add_student(options: argparse.Namespace) -> int:
    from engine.delivery import add_as_teacher

    workspace = Workspace.from_environment()
    record = add_as_teacher(workspace, options.run_id, _progress())
    print(f"Added {record.name}: {record.title}. {_closed(workspace, record)}")
    return 0


def _closed(workspace: Workspace, record: Any) -> str:
    """What a teacher may not teach, and which of the tasks here that are, a sentence."""
    from engine.runs import closed_tasks

    seen = (record.collection, *record.further_collections)
    here = closed_tasks(workspace, seen)
    return f"Closed to it: tasks of {listed(seen)}; of those here {listed(here) if here else 'none'}."


def _add(options: argparse.Namespace) -> int:
    from engine.methods import METHODS
    from engine.teachers import TeacherDescription, add_checkpoint, add_from_hub, numbers_text

    workspace = Workspace.from_environment()
    collections = _listed(options.collection or "")
    about = TeacherDescription(
        title=options.title or "",
        name=options.name or "",
        collection=collections[0] if collections else "",
        further_collections=tuple(collections[1:]),
        license=options.license or "",
    )
    progress = _progress()
    path = Path(options.what)
    if options.task:
        from engine.features import add_outputs
        from engine.review import open_task

        record = add_outputs(
            workspace,
            open_task(workspace, options.task),
            _file(path),
            path.name,
            about,
            classes=_classes(options.classes),
            image_column=options.image_column,
            progress=progress,
        )
    elif options.architecture:
        record = add_checkpoint(
            workspace,
            _file(path),
            path.name,
            about,
            architecture=options.architecture,
            classes=_classes(options.classes),
            size=options.size,
            mean=None if options.mean is None else _numbers("--mean", options.mean),
            std=None if options.std is None else _numbers("--std", options.std),
            pooling=options.pooling,
            prefix=options.prefix,
            ignore=_listed(options.ignore or ""),
            progress=progress,
        )
    elif _is_file(path):
        raise InvalidInputError(
            f"{path} is a file: say --architecture for a checkpoint, or --task for a table of features."
        )
    elif any((options.mean, options.std, options.prefix, options.ignore)):
        raise InvalidInputError(
            "--mean, --std, --prefix and --ignore are about a checkpoint: add its --architecture, or leave them out."
        )
    else:
        record = add_from_hub(workspace, options.what, about, options.size, progress, pooling=options.pooling)
    by_features = ", ".join(method.title for method in METHODS.values() if method.features_suffice)
    kinds = f"{len(record.classes):,} classes" if record.classes else f"no classes: heard in {by_features} alone"
    seen = ", ".join((record.collection, *record.further_collections))
    print(f"Added {record.name}: {record.title} ({kinds}; collection {seen}; license {record.license})")
    print(_closed(workspace, record))
    if record.has_network:
        print(
            f"It sees images of {record.input_size} px, normalized by mean {numbers_text(record.mean)} and standard "
            f"deviation {numbers_text(record.std)}; pooling {record.pooling or 'of its own'}."
        )
    for note in record.notes if record.has_network else (record.accuracy_note,):
        print(note)
    return 0


def _remove(options: argparse.Namespace) -> int:
    from engine.runs import remove_teacher

    remove_teacher(Workspace.from_environment(), options.name)
    print(f"Removed {options.name}.")
    return 0


def _progress() -> Callable[[int, int | None, str, str], None]:
    lines: dict[str, ProgressLine] = {}

    def progress(done: int, total: int | None, unit: str, stage: str) -> None:
        if total is None:
            print(f"{stage}{f': {done:,} {unit}' if done else ''}", file=sys.stderr)
        else:
            lines.setdefault(unit, ProgressLine(unit))(done, total, stage)

    return progress


def _file(path: Path) -> Path:
    if not _is_file(path):
        raise InvalidInputError(f"There is no file {path}: check its name.")
    return path


def _is_file(path: Path) -> bool:
    """Whether there is such a file; a text that is too long for the name of one is none. Raises StorageError."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise storage_error(error, path) from error


def _classes(text: str | None) -> list[str]:
    """Class names from a file with one on each line, or a JSON list, or from the text itself, separated by commas."""
    if not text:
        return []
    path = Path(text)
    if not _is_file(path):
        return _listed(text)
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is no text in UTF-8: save the class names as plain text.") from error
    except OSError as error:
        raise storage_error(error, path) from error
    if content.lstrip().startswith("["):
        try:
            return [str(name) for name in json.loads(content)]
        except ValueError as error:
            raise InvalidInputError(f"{path} is no JSON list of class names ({error}): correct it.") from error
    return [line for line in content.splitlines() if line.strip()]


def _sizes(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, last = text.partition("-")
    try:
        return int(first), int(last or first)
    except ValueError:
        raise InvalidInputError(f"--sizes {text!r}: write it as FROM-TO in pixels, such as 160-256.") from None


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidInputError(f"{option} {text!r}: write three numbers, such as {EXAMPLE}.") from None


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _accuracy(record: dict[str, Any]) -> str:
    accuracy = record["held_out_accuracy"]
    return "not known" if accuracy is None else f"{percent(accuracy)} {record['accuracy_source']}"


def _number(value: float | None, unit: float, digits: int) -> str:
    return "" if value is None else f"{value / unit:.{digits}f}"
