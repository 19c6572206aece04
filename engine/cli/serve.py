"""`python -m engine serve` opens the workbench; `confinement` says what this system denies to those who read files."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from typing import Any, TextIO

from engine.cli.options import add_command, add_json
from engine.cli.printing import print_json
from engine.errors import InvalidInputError, UnavailableError
from engine.installation import FOLDER
from engine.workspace import Workspace

SERVER = FOLDER / "app" / "server.py"
PORT, LAST_PORT = 8501, 65_535  # Streamlit's own; the highest there is


def add_parser(verbs: Any) -> None:
    """Add `serve` and `confinement` to the command line."""
    serve = add_command(verbs, "serve", _serve, "open the workbench in the browser")
    serve.add_argument("--port", type=int, default=PORT)
    serve.add_argument("--address", default="localhost", help="the address to listen on (default: this machine only)")
    serve.add_argument(
        "--host-name", action="append", default=[], help="a further name that browsers call it by, such as a proxy's"
    )

    what = "say what this system denies to the processes that read users' files"
    add_json(add_command(verbs, "confinement", _confinement, what))


def _confinement(options: argparse.Namespace) -> int:
    from engine.confinement import as_json, protections

    if options.json:
        return print_json({what: as_json(held) for what, held in protections().items()})
    _say_what_is_denied(sys.stdout)
    return 0


def _say_what_is_denied(out: TextIO) -> None:
    from engine.confinement import protections

    for what, held in protections().items():
        print(held.sentence(what), file=out, flush=True)


def _serve(options: argparse.Namespace) -> int:
    from engine.settings import checked_host_names, host_names

    if not 0 <= options.port <= LAST_PORT:
        raise InvalidInputError(f"There is no port {options.port}: choose one up to {LAST_PORT}, such as {PORT}.")
    workspace = Workspace.from_environment()
    host_names(workspace)  # what is wrong with the settings is said now
    names = checked_host_names([*os.environ.get("WORKBENCH_HOSTS", "").split(","), *options.host_name])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.address, options.port))
        except OSError as error:
            other = options.port + 1 if options.port < LAST_PORT else PORT
            raise UnavailableError(
                f"Port {options.port} cannot be used ({error.strerror}): stop what listens there, or choose another "
                f"one, such as `make run PORT={other}`."
            ) from error
    _say_what_is_denied(sys.stderr)
    command = [sys.executable, "-m", "streamlit", "run", str(SERVER)]
    command += [f"--server.port={options.port}", f"--server.address={options.address}", "--server.headless=true"]
    os.environ |= {"WORKBENCH_HOSTS": ",".join(names), **workspace.as_environment()}  # it runs in another folder
    os.chdir(FOLDER)  # from where Python imports `app`, and Streamlit reads .streamlit/secrets.toml
    if os.name != "nt":  # the server takes this process's place, and so every signal that is meant for it
        os.execv(command[0], command)
    try:
        return subprocess.call(command)
    except KeyboardInterrupt:
        return 0
