"""Fixtures of imports."""

import pytest

from engine.intake import discovery
from tests.engine.intake.parsing_here import InThisProcess


@pytest.fixture(autouse=True)
def parsed_here(monkeypatch):
    """No source is parsed in a process of its own; `test_discovery.py` takes that back."""
    monkeypatch.setattr(discovery, "Confined", InThisProcess)
