"""`python -m engine`, and the same as the script `distill-workbench`, which opens the workbench if told nothing."""

import io
import os
import sys

from engine.cli import main
from engine.jobs.processes import worker_environment
from engine.uncompiled import defer_compiler


def run() -> int:
    """`python -m engine ARGUMENTS`: its exit status."""
    return main(_prepared())


def script() -> int:
    """`distill-workbench ARGUMENTS`: its exit status."""
    return main(_prepared() or ["serve"], program="distill-workbench")


def _prepared() -> list[str]:
    """The arguments, once this process is set up for what follows."""
    os.environ.update(worker_environment())  # for PyTorch in this process, which nothing has loaded yet
    defer_compiler()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show × or − shows its code
    return sys.argv[1:]


if __name__ == "__main__":
    sys.exit(run())
