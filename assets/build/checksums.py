"""The table of checksums at the end of SOURCES.md."""

from __future__ import annotations

from pathlib import Path

from assets.build.tasks import TASKS
from assets.build.teachers import TEACHERS
from engine.files import sha256, write_bytes

SOURCES = Path(__file__).parent / "SOURCES.md"
_HEADING = "## Checksums of what ships (SHA-256)\n"


def write_checksums() -> None:
    """Replace the table by the checksums of the files that lie under assets/ now."""
    text = SOURCES.read_text(encoding="utf-8").partition(_HEADING)[0]
    files = [*sorted(TASKS.glob("*.parquet")), *sorted(TEACHERS.glob("*.safetensors"))]
    rows = [f"| `{file.parent.name}/{file.name}` | {file.stat().st_size:,} | `{sha256(file)}` |" for file in files]
    table = "\n".join(["| file | bytes | SHA-256 |", "| --- | --- | --- |", *rows])
    write_bytes(SOURCES, f"{text}{_HEADING}\n{table}\n".encode())
