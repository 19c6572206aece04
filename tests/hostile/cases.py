"""The cases, by mechanism: hand-made ones, and fuzzed ones from fixed seeds."""

from __future__ import annotations

from tests.hostile import cases_archives, cases_images, cases_lists, cases_names, cases_tables, cases_uploads
from tests.hostile.suite import Case

MAKERS = (
    cases_images.images,
    cases_archives.archives,
    cases_names.names,
    cases_names.folders,
    cases_tables.tables,
    cases_lists.known,
    cases_uploads.uploads,
)


def all_cases() -> list[Case]:
    """Every case, in a fixed order."""
    return [case for make in MAKERS for case in make()]
