"""Fixtures of the browser tests. Without a browser they fail, and say which package is missing."""

import pytest

from engine.workspace import Workspace
from tests.browser.chromium import launched
from tests.browser.server import serving
from tests.browser.workbench import Workbench


@pytest.fixture(scope="session")
def browser():
    with launched() as running:
        yield running


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    with serving(Workspace(folder / "workspace"), folder / "server.log") as running:
        yield running


@pytest.fixture
def tab(browser, server):
    """A new tab of a new visitor, at 1440 × 900."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    workbench = Workbench(context.new_page(), server.url)
    yield workbench
    context.close()


@pytest.fixture
def phone(browser, server):
    """A new tab at the size of a phone."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    workbench = Workbench(context.new_page(), server.url)
    yield workbench
    context.close()
