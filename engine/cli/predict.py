"""`python -m engine predict`: what a finished run's student says of new images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.cli.options import add_command, add_json
from engine.cli.printing import print_json

_NAMED = 20  # files that could not be read, on the screen; the tables have them all


def add_parser(verbs: Any) -> None:
    """Add `predict` to the command line."""
    predict = add_command(
        verbs,
        "predict",
        _predict,
        "class and probability of new images, by a finished run's student",
        "Predict a folder, an archive, a table of images, or one image. Without --csv and --parquet the table goes to "
        "standard output, as CSV.",
    )
    predict.add_argument("run_id", metavar="RUN", help="a run's name, as compare prints it")
    predict.add_argument("path", metavar="PATH", help="a folder, a ZIP or TAR, a table that names images, or an image")
    predict.add_argument("--images", metavar="PATH", help="where the table's images lie, if not beside it")
    predict.add_argument("--csv", type=Path, help="write the table there")
    predict.add_argument("--parquet", type=Path, help="write the table there, with text as it is")
    predict.add_argument("--unsure", type=float, help="a probability below it is marked as unsure (default 0.6)")
    predict.add_argument("--device", help="auto, cuda (any card), cuda:1 (that one), mps or cpu")
    add_json(predict)


def _predict(options: argparse.Namespace) -> int:
    from engine.delivery import UNSURE, Predicting, ready_student
    from engine.delivery.prediction_rows import csv_writer, written_to
    from engine.files import expanded
    from engine.progress import ProgressLine
    from engine.verbs import open_workspace

    workspace = open_workspace()
    work = Predicting(
        workspace,
        ready_student(workspace, options.run_id, options.device),
        str(expanded(options.path).absolute()),
        images=str(expanded(options.images).absolute()) if options.images else "",
        unsure=UNSURE if options.unsure is None else options.unsure,
        progress=ProgressLine("images"),
    )
    to_screen = not (options.csv or options.parquet or options.json)
    with written_to(options.csv, options.parquet) as append:
        show = csv_writer(sys.stdout) if to_screen else append
        for piece in work.pieces():
            show(piece.rows)
    if options.json:
        print_json(document(work.summary))
    else:
        _print(work.summary, sys.stderr if to_screen else sys.stdout)
    return 0


def document(summary: Any) -> dict[str, Any]:
    """What `--json` prints of a summary. Times are of one image, in milliseconds."""
    return {
        "images": summary.images,
        "classes": dict(summary.classes.most_common()),
        "unsure": summary.unsure,
        "unlike": summary.unlike,
        "problems": {"count": summary.problems, "first": summary.first_problems},
        "skipped": {"count": summary.skipped_count, "first": summary.skipped},
        "milliseconds": summary.milliseconds,
        "student_milliseconds": summary.student_milliseconds,
        "notes": list(summary.notes),
    }


def _print(summary: Any, out: Any) -> None:
    for name, count in summary.classes.most_common():
        print(f"{count:>9,}  {name}", file=out)
    times = summary.milliseconds, summary.student_milliseconds
    each = "" if None in times else " Each took {:.1f} ms, {:.1f} of them in the student.".format(*times)
    said = f"{summary.images:,} images predicted, {summary.unsure:,} of them unsure"
    if summary.unlike:
        said += f", {summary.unlike:,} unlike the training images"
    print(f"{said}.{each}", file=out)
    for note in summary.notes:
        print(f"note: {note}", file=sys.stderr)
    for problem in summary.first_problems[:_NAMED]:
        print(f"left out: {problem}", file=sys.stderr)
    if summary.problems > _NAMED:
        more = f"{summary.problems - _NAMED:,} more files could not be read"
        print(f"left out: {more}; the column problem of the table has them all.", file=sys.stderr)
    if summary.skipped_count:
        print(f"note: {summary.skipped_count:,} files or rows are no images and were passed over.", file=sys.stderr)
