"""`python -m engine import`: a folder, an archive or a table becomes a task, without a browser."""

from __future__ import annotations

import argparse
from typing import Any

from engine.cli.options import add_command, add_json
from engine.cli.printing import print_json
from engine.errors import InvalidInputError
from engine.progress import ProgressLine
from engine.workspace import Workspace

NAMED = 5  # files named under a finding


def add_parser(verbs: Any) -> None:
    """Add `import` to the command line."""
    parser = add_command(verbs, "import", run, "make a task of your own images: a folder, a ZIP, a table")
    parser.add_argument(
        "path", metavar="PATH", help="a folder, a ZIP or TAR, a CSV, TSV or Parquet file, or torchvision:NAME"
    )
    parser.add_argument("--name", metavar="TASK", help="the task's name (default: made from the path)")
    parser.add_argument("--title", help="how the pages call it, in any script (default: the name)")
    parser.add_argument(
        "--labels",
        metavar="COLUMN",
        help="the table's column of labels (guessed), or columns of 0 and 1 with commas between them, each a class; '' "
        "for none, and folders are then no classes",
    )
    parser.add_argument(
        "--groups", metavar="COLUMN", help="its column of patients, sites, videos; '' for none (guessed)"
    )
    parser.add_argument("--paths", metavar="COLUMN", help="its column of image names (guessed)")
    parser.add_argument("--split-column", metavar="COLUMN", help="its column of train and test; '' for none (guessed)")
    parser.add_argument(
        "--encoding", default="", help="of a table that is not UTF-8, such as cp1251 or gbk (guessed from all of it)"
    )
    parser.add_argument(
        "--names-encoding",
        default="",
        metavar="ENCODING",
        help="of file names that are not UTF-8, such as cp866 or shift-jis (guessed from all of them)",
    )
    parser.add_argument("--images", metavar="PATH", help="where the table's images lie, if not beside it")
    parser.add_argument(
        "--split", choices=("given", "stratified", "by-group"), help="how test images are held out (as fits the source)"
    )
    parser.add_argument("--test-share", type=float, default=0.2, help="share of labeled images held out (default 0.2)")
    parser.add_argument("--split-seed", type=int, default=0, help="which images are held out (default 0)")
    parser.add_argument("--classes", default="", help="comma-separated: classes to label by hand later")
    parser.add_argument("--channels", help="of images with more than three: one or three numbers from 1, such as 4,3,2")
    bits = parser.add_argument_group(
        "images with more than 8 bits",
        "By default each image's lowest value becomes black and its highest white, but a DICOM file is shown through "
        "the window that it names.",
    )
    bits.add_argument(
        "--range", metavar="LOW,HIGH", help="values that become black and white in all images, so that they compare"
    )
    bits.add_argument(
        "--percentiles",
        metavar="LOW,HIGH",
        help="of each image's values, such as 0.5,99.5 to leave hot pixels out; 0,100 is the whole range, of DICOM too",
    )
    bits.add_argument(
        "--window", metavar="CENTER,WIDTH", help="one window for all DICOM images, such as 40,400 for soft tissue"
    )
    parser.add_argument("--resize", choices=("squash", "pad", "crop"), help="how images become square (as advised)")
    parser.add_argument("--size", type=int, default=0, help="the student's input size, in pixels (as advised)")
    parser.add_argument("--no-flip", action="store_true", help="a mirrored image is not of its class")
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--copy",
        action="store_true",
        help="copy images into the workspace, even from a folder in an allow-listed root",
    )
    place.add_argument(
        "--in-place",
        action="store_true",
        help="read images where they lie, or refuse: the folder must be in an allow-listed root, and stay as it is "
        "(default: in place in such a folder, otherwise copied)",
    )
    parser.add_argument(
        "--decide", action="append", default=[], metavar="FINDING=CHOICE", help="decide about a finding"
    )
    parser.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="QUESTION=INTERPRETATION",
        help="answer what the import asks under 'please check', where no other option does",
    )
    parser.add_argument("--strict", action="store_true", help="refuse where the import would have to guess")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Import, and print what was found and decided."""
    from engine.intake import import_images
    from engine.review import checked

    workspace = Workspace.from_environment()
    task = import_images(workspace, request_of(options), progress=ProgressLine("images"))
    now = checked(task)
    if options.json:
        return print_json(_document(task, now))
    _print(task, now)
    return 0


def request_of(options: argparse.Namespace) -> Any:
    """The ImportRequest that the options describe. Raises InvalidInputError."""
    from engine.images import Reading
    from engine.intake import Columns, request_for

    reading = None
    if any((options.channels, options.range, options.window, options.percentiles)):
        reading = Reading(
            channels=tuple(int(number) for number in _numbers("--channels", options.channels)),
            value_range=_pair("--range", options.range),
            window=_pair("--window", options.window),
            percentiles=_pair("--percentiles", options.percentiles),
        )
    return request_for(
        options.path,
        title=options.title or "",
        name=options.name or "",
        images=options.images or "",
        columns=Columns(options.paths, options.labels, options.groups, options.split_column),
        classes=tuple(name.strip() for name in options.classes.split(",") if name.strip()),
        reading=reading,
        split=options.split or "",
        test_share=options.test_share,
        seed=options.split_seed,
        resize=options.resize or "",
        student_size=options.size,
        flip=False if options.no_flip else None,
        findings=dict(_pair_of("--decide", text, "copies=keep") for text in options.decide),
        answers={
            **dict(_pair_of("--answer", text, "masks=leave-out") for text in options.answer),
            **_encodings(options),
        },
        strict=options.strict,
        in_place=False if options.copy else options.in_place or None,
    )


def _numbers(option: str, text: str | None) -> list[float]:
    try:
        return [float(part) for part in (text or "").split(",") if part.strip()]
    except ValueError:
        raise InvalidInputError(f"{option} {text!r}: write numbers with commas between them.") from None


def _pair(option: str, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    numbers = _numbers(option, text)
    if len(numbers) != 2:
        raise InvalidInputError(f"{option} {text!r}: write two numbers with a comma between them.")
    return numbers[0], numbers[1]


def _encodings(options: argparse.Namespace) -> dict[str, str]:
    from engine.intake.encodings import NAMES_ENCODING, TABLE_ENCODING, check_encoding

    named = {TABLE_ENCODING: options.encoding, NAMES_ENCODING: options.names_encoding}
    return {key: check_encoding(name) for key, name in named.items() if name}


def _pair_of(option: str, text: str, example: str) -> tuple[str, str]:
    key, equals, choice = text.partition("=")
    if not equals:
        raise InvalidInputError(f"{option} {text!r}: write it with = between the two, such as {example}.")
    return key.strip(), choice.strip()


def _document(task: Any, now: Any) -> dict[str, Any]:
    about, advice = now.about, now.advice
    return {
        "task": task.name,
        "title": task.record.title,
        "revision": task.revision,
        "source": about.source,
        "layout": about.layout,
        "layout_title": about.layout_title,
        "columns": dict(about.columns),
        "images": len(task.images),
        "classes": _class_rows(task),
        "training_images": len(task.train_rows),
        "labeled_training_images": int(task.available_labels().sum()),
        "test_images": len(task.test_rows),
        "left_out": sum(number for _, number in now.review.left_out),
        "left_out_because": dict(now.review.left_out),
        "split": {"method": now.review.split_method, "rule": now.review.split_rule, "seed": now.decisions.seed},
        "geometry": {
            "resize": task.record.resize,
            "student_size": task.record.student_size,
            "flip": task.record.flip,
            "advice": advice.reason,
            "short_sides_5_50_95_percent": list(advice.short_sides),
        },
        "reading": dict(task.record.reading),
        "made_rgb": dict(about.steps),
        "notes": list(about.notes),
        "please_check": [_question_row(question) for question in about.questions],
        "unreadable": [{"file": name, "reason": reason} for name, reason in about.unreadable],
        "skipped": about.skipped_count,
        "read_in_place": about.in_place,
        "findings": [
            {
                "finding": f.key,
                "severity": f.severity,
                "title": f.title,
                "text": f.text,
                "count": f.count,
                "choice": f.choice,
                "by": "user" if f.decided else "default",
                "choices": [c.key for c in f.choices],
            }
            for f in now.findings
        ],
    }


def _question_row(question: Any) -> dict[str, Any]:
    from engine.tasks import as_option

    return {
        "question": question.key,
        "text": question.text,
        "chosen": question.chosen,
        "by": "user" if question.decided else "default",
        "interpretations": [
            {
                "interpretation": one.key,
                "title": one.title,
                "labeled_images": one.labeled_images,
                "option": as_option(one),
            }
            for one in question.interpretations
        ],
    }


def _class_rows(task: Any) -> list[dict[str, Any]]:
    import numpy as np

    labeled = task.available_labels()
    tested = np.bincount(task.labels[task.test_rows], minlength=len(task.classes))
    return [{"class": name, "labeled": int(labeled[i]), "test": int(tested[i])} for i, name in enumerate(task.classes)]


def _print(task: Any, now: Any) -> None:
    about = now.about
    print(f"{len(task.images):,} images of {len(task.classes):,} classes, read as {about.layout_title}")
    for what, column in about.columns.items():
        print(f"  {what}: column {column!r}")
    _print_questions(about.questions)
    for row in _class_rows(task)[:20]:
        print(f"  {row['class']}: {row['labeled']:,} labeled for training, {row['test']:,} for the test")
    if len(task.classes) > 20:
        print(f"  and {len(task.classes) - 20:,} more classes")
    unlabeled = len(task.train_rows) - int(task.available_labels().sum())
    print(
        f"{len(task.train_rows):,} images train ({unlabeled:,} of them unlabeled), {len(task.test_rows):,} test, "
        f"{sum(number for _, number in now.review.left_out):,} take no part"
    )
    for why, number in now.review.left_out:
        print(f"  no part: {number:,} {why}")
    print(f"split: {now.review.split_rule}")
    print(f"geometry: {task.record.resize}, student at {task.record.student_size} px. {now.advice.reason}")
    for f in now.findings:
        options = ", ".join(c.key for c in f.choices if c.key != f.choice)
        decided = f"{f.key}={f.choice}" + (f" (or {options})" if options else "")
        print(f"{f.severity}: {f.title}. {f.text} -> {decided}")
        for name, remark in f.names[:NAMED]:
            print(f"    {name}: {remark}")
        if len(f.names) > NAMED:
            print(f"    and {len(f.names) - NAMED:,} more")
    print(f"next: python -m engine rank --task {task.name}")


def _print_questions(questions: Any) -> None:
    """What was guessed, with the option that says otherwise."""
    from engine.tasks import as_option, undecided

    for question in undecided(questions):
        print(f"please check: {question.text}")
        for one in question.interpretations:
            mark = "taken" if one.key == question.chosen else f"or {as_option(one)}"
            print(f"    {one.title}, {one.labeled_images:,} labeled images ({mark})")
