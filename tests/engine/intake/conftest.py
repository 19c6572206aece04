"""Fixtures of imports."""

import pytest

from engine.intake import discovery
from engine.intake.inventory import Columns
from engine.settings import ImportSettings
from tests.engine.intake import made_sources as made
from tests.engine.intake.parsing_here import InThisProcess
from tests.engine.intake.tables_seen import PICTURE


@pytest.fixture(autouse=True)
def parsed_here(monkeypatch):
    """No source is parsed in a process of its own; `test_discovery.py` takes that back."""
    monkeypatch.setattr(discovery, "Confined", InThisProcess)


@pytest.fixture
def seen(tmp_path):
    """What a folder of files holds: names of images, or names of tables with their rows."""

    def call(files, source="", columns=None, **answers):
        written = {
            name: PICTURE if content is None else content if isinstance(content, str) else made.table(content)
            for name, content in files.items()
        }
        folder = made.put(tmp_path / "data", written)
        return discovery.inventory_of(folder / source, None, True, columns or Columns(), ImportSettings(), answers)

    return call
