"""Get a browser for the tests: `python -m tests.browser.install`. Does nothing where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.browser.chromium import NoBrowserError, find

SECONDS = 900  # an install that takes longer hangs


def main() -> int:
    """Take what is there, else Playwright's own Chromium, else the system's package as root."""
    for install in (None, _from_playwright, _from_apt):
        if install is not None:
            install()
        try:
            print(f"Browser for the tests: {find()}", file=sys.stderr)
            return 0
        except NoBrowserError as error:
            missing = error
    print(f"error: {missing}", file=sys.stderr)
    return 1


def _from_playwright() -> None:
    _try([sys.executable, "-m", "playwright", "install", "chromium"])


def _from_apt() -> None:
    if shutil.which("apt-get") and os.geteuid() == 0:
        _try(["apt-get", "update", "-qq"])
        _try(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"])


def _try(command: list[str]) -> None:
    print(f"Trying: {' '.join(command)}", file=sys.stderr)
    try:
        subprocess.run(command, check=False, timeout=SECONDS, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"That did not work: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
