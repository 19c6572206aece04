"""Fixtures of the app's tests."""

import os
import shutil
from contextlib import nullcontext
from functools import cache

import pytest

from engine import maps
from engine.images.decoder import Decoders
from engine.installation import bundled
from engine.intake import discovery, ingest, previews
from engine.settings import ImportSettings
from engine.tasks.task import load_task
from engine.workspace import Workspace
from tests.app import made_tasks
from tests.engine.intake.parsing_here import InThisProcess


@cache
def counted_once():
    """What a student costs, for all apps that tests begin."""
    from app.views.distill import form

    return cache(form.cost)


@pytest.fixture(autouse=True, scope="module")
def spared():
    """What a student costs is counted once, and no file is waited for until it is on the disk; in these modules alone,
    since others of the same process test just that.
    """
    from app.views.distill import form

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(form, "cost", counted_once())
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def nothing_recorded(monkeypatch, tmp_path):
    """No ranking and no map came with the program: they would be shown in place of what a test has made."""
    monkeypatch.setattr(maps, "ASSETS", tmp_path / "no maps")
    monkeypatch.setattr("engine.runs.recorded_ranking.ASSETS", tmp_path / "no rankings")


@pytest.fixture
def recorded_assets(nothing_recorded, monkeypatch):
    """What comes with the program is there after all."""
    monkeypatch.setattr(maps, "ASSETS", bundled("maps"))
    monkeypatch.setattr("engine.runs.recorded_ranking.ASSETS", bundled("rankings"))


@pytest.fixture(scope="session")
def decoder():
    """One decoder process for many tests: starting one takes a second."""
    with Decoders(ImportSettings(decoders=1)) as running:
        yield running


@pytest.fixture
def one_decoder(monkeypatch, decoder):
    """Previews and imports of this process share it, and parse sources here."""
    monkeypatch.setattr(discovery, "Confined", InThisProcess)
    for module in (ingest, previews):
        monkeypatch.setattr(module, "Decoders", lambda settings: nullcontext(decoder))


@pytest.fixture(scope="session")
def imported(tmp_path_factory, decoder):
    """A workspace with one imported task, to be copied: an import starts processes, which takes seconds."""
    folder = tmp_path_factory.mktemp("imported")
    home = Workspace(folder / "workspace")
    made_tasks.make(home, folder, decoder)
    return home


@pytest.fixture
def own(imported, home):
    """An own task in a workspace that a test may change."""
    shutil.copytree(imported.tasks, home.tasks)
    (folder,) = (home.tasks).iterdir()
    return load_task(home, folder.name)
