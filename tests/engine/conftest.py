"""Fixtures of imports: one decoder process for all tests, and a call that imports."""

import pytest

from engine.images.decoder import Decoders
from engine.intake import ImportRequest, import_images
from engine.settings import ImportSettings


@pytest.fixture(scope="session")
def decoders():
    with Decoders(ImportSettings(decoders=1)) as found:
        yield found


@pytest.fixture
def bring(home, decoders):
    """Import a source into the workspace."""

    def call(source, title="mine", **fields):
        return import_images(home, ImportRequest(source=str(source), title=title, **fields), decoders=decoders)

    return call
