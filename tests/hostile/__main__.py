"""`python -m tests.hostile`: run the hostile-input suite and print its figures by mechanism."""

import sys
import tempfile
import time
from pathlib import Path

from tests.hostile.cases import all_cases
from tests.hostile.suite import run_all


def main() -> int:
    """Print how many cases of each mechanism were accepted, and refused with a sentence; 1 if any failed."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_all(Path(folder), all_cases())
    width = max(map(len, outcomes))
    print(f"{'mechanism'.ljust(width)}  cases  accepted  refused  failed")
    for name, found in outcomes.items():
        print(f"{name.ljust(width)}  {found.cases:5}  {found.accepted:8}  {found.refused:7}  {len(found.failures):6}")
    failures = [failure for found in outcomes.values() for failure in found.failures]
    total = sum(found.cases for found in outcomes.values())
    print(
        f"{total} cases over {len(outcomes)} mechanisms: {sum(o.accepted for o in outcomes.values())} accepted, "
        f"{sum(o.refused for o in outcomes.values())} refused with a sentence, {len(failures)} failed "
        f"({time.process_time() - began:.0f} s of this process)"
    )
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
