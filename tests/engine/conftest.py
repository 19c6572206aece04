"""Fixtures of imports: one decoder process for all tests, and a call that imports."""

import pytest

from engine.images.decoder import Decoders
from engine.intake import ImportRequest, discovery, import_images
from engine.settings import ImportSettings
from tests.engine.intake.parsing_here import InThisProcess


@pytest.fixture(scope="session")
def decoders():
    with Decoders(ImportSettings(decoders=1)) as found:
        yield found


@pytest.fixture
def bring(home, decoders, monkeypatch):
    """Import a source into the workspace, parsed in this process."""
    monkeypatch.setattr(discovery, "Confined", InThisProcess)

    def call(source, title="mine", **fields):
        return import_images(home, ImportRequest(source=str(source), title=title, **fields), decoders=decoders)

    return call
