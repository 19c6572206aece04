"""One command, its exit status, and what becomes of an error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from engine import __version__
from engine.cli import (
    benchmark,
    compare,
    export,
    finish,
    import_images,
    methods,
    predict,
    queue,
    rank,
    report,
    run,
    runs,
    serve,
    tasks,
    teachers,
    trash,
)
from engine.cli.compare import CANCELLED
from engine.errors import WorkbenchError

COMMANDS = (  # a module each: one line
    tasks,
    teachers,
    rank,
    import_images,
    methods,
    compare,
    finish,
    benchmark,
    run,
    runs,
    queue,
    trash,
    export,
    predict,
    report,
    serve,
)


def main(arguments: Sequence[str], program: str = "python -m engine") -> int:
    """Run one command and return its exit status: 0, or 1 with one sentence on standard error, or 2 for bad usage."""
    options = parser(program).parse_args(list(arguments))
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


def parser(program: str) -> argparse.ArgumentParser:
    """All commands, as `program` takes them."""
    entire = argparse.ArgumentParser(
        prog=program,
        description="Find the pretrained networks that fit your images, and distill them into one small student.",
    )
    entire.set_defaults(run=lambda _: _help(entire))
    entire.add_argument("--version", action="version", version=f"distill-workbench {__version__}")
    verbs = entire.add_subparsers(metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(verbs)
    return entire


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0
