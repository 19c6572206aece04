"""Options that several commands share, and how their text is read."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

from engine.errors import InvalidInputError


def add_command(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, description: str | None = None
) -> argparse.ArgumentParser:
    """Add a command to those of `verbs`: `run` does it and gives its exit status, `text` says what it does."""
    added: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=description or text)
    added.set_defaults(run=run)
    return added


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let a command print a document in place of text."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def add_task_options(parser: argparse.ArgumentParser) -> None:
    """What every command about one task takes."""
    parser.add_argument("--task", required=True)
    parser.add_argument("--metric", default="parc", help="the similarity metric (default parc); rank takes all, too")
    parser.add_argument(
        "--labels-per-class",
        type=_labels,
        metavar="NUMBER|all",
        help="how many labels of each class may be used; by default all of a task of your own, 5 of a bundled one",
    )
    parser.add_argument("--teachers", help="comma-separated; all by default")
    parser.add_argument("--device", help="auto, cuda (any card), cuda:1 (that one), mps or cpu")
    add_json(parser)


def add_engine(parser: Any) -> None:
    """Where queued jobs run."""
    parser.add_argument(
        "--engine",
        help="where runs are done: local (this machine, the default), slurm or ray; settings.json has their settings",
    )


def _labels(text: str) -> int | Literal["all"]:
    try:
        return "all" if text == "all" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor all") from None


def names(text: str | None) -> list[str] | None:
    """The names in a comma-separated list; commas in brackets do not separate."""
    parts = None if text is None else re.split(r",(?![^(]*\))", text)
    return parts and [name.strip() for name in parts if name.strip()]


def integer(option: str, text: str) -> int:
    """The whole number that an option was given. Raises InvalidInputError."""
    try:
        return int(text)
    except ValueError:
        raise InvalidInputError(f"{option}: {text!r} is not a whole number.") from None


def fields(settings: Sequence[str]) -> dict[str, Any]:
    """`--set field=value`: numbers where they are numbers, text otherwise. Raises InvalidInputError."""
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
