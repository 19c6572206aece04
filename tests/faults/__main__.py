"""`make faults`: everything that can happen to a workspace, one part after the other, and one summary.

`python -m tests.faults kills many` does those parts alone; `--json` prints the summary as one document.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable

from tests.faults import damage, hardships, hunger, kills, many, small_disk
from tests.faults.account import Account

PARTS: dict[str, Callable[[], Account]] = {
    "kills": kills.account,
    "damage": damage.account,
    "hardships": hardships.account,
    "disk": small_disk.account,
    "memory": hunger.account,
    "many": many.account,
}


def main() -> int:
    """1 if anything was lost, wrong, done twice, or an error of the program."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all if none is named")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON document")
    options = parser.parse_args()
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"{unknown[0]!r} is no part: choose among {', '.join(PARTS)}")
    found, took = {}, {}
    for name in options.parts or PARTS:
        began = time.monotonic()
        with contextlib.redirect_stdout(sys.stderr):
            print(f"== {name}", flush=True)
            found[name] = PARTS[name]()
        took[name] = time.monotonic() - began
    if options.json:
        document = {name: {**vars(one), "seconds": round(took[name], 1)} for name, one in found.items()}
        print(json.dumps(document, indent=1, default=list))
    else:
        print("== summary")
        for name, one in found.items():
            print(f"{name}, {took[name]:.0f} s", *one.lines(), sep="\n")
    return int(any(one.wrong for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
