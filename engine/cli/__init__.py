"""The command line: everything that the app does, without a browser. Progress goes to standard error."""

from engine.cli.program import main

__all__ = ["main"]
