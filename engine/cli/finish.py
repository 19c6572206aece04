"""`python -m engine finish`: the student that goes to work, trained on all images."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from engine.cli.compare import CANCELLED
from engine.cli.options import add_command, add_json, fields
from engine.cli.printing import print_json


def add_parser(verbs: Any) -> None:
    """Add `finish` to the command line."""
    finish = add_command(
        verbs,
        "finish",
        _finish,
        "train the student that goes to work on all images, held-out ones included",
        "Train the student that goes to work on all images and labels, held-out ones included. It has no held-out "
        "accuracy of its own: that of its method in the comparison is quoted.",
    )
    finish.add_argument("named", metavar="RUN|COMPARISON|TASK", help="what compare printed, or a task")
    finish.add_argument("--method", help="which method; of a run its own")
    finish.add_argument("--device", help="auto, cuda (any card), cuda:1 (that one), mps or cpu")
    finish.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="a training field other than the comparison's"
    )
    add_json(finish)


def _finish(options: argparse.Namespace) -> int:
    from engine.results import accuracy_sentence, read_result
    from engine.verbs import finish, open_workspace

    workspace = open_workspace()
    try:
        document = finish(workspace, options.named, options.method, device=options.device, **fields(options.set))
    except KeyboardInterrupt:
        print("Cancelled; the same command goes on with it.", file=sys.stderr)
        return CANCELLED
    if options.json:
        return print_json(document)
    print(
        f"{document['run']}: {document['title']}, trained on {document['train_images']:,} images, of which "
        f"{document['labeled_images']:,} have a label."
    )
    print(accuracy_sentence(read_result(workspace.runs / document["run"])))
    print(f"Next: python -m engine export {document['run']} --out DIR")
    return 0
