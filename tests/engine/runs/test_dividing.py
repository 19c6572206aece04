"""Two runs on two cards that need the same features extract each image once."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from engine.features.extraction import SHARE_ROWS
from engine.runs import dividing

ROWS = np.arange(0, 3000, 2)
TASK = SimpleNamespace(name="birds")


class Runs:
    """Runs on cards, each in a thread; what each extracted."""

    def __init__(self, home, monkeypatch, cards):
        self.home, self.cards, self.done = home, cards, {}
        self.hold, self.began = threading.Event(), threading.Event()
        self.place = threading.local()
        monkeypatch.setattr(dividing, "place_among_workers", lambda: (self.place.card, cards))
        monkeypatch.setattr(dividing, "extract", self.extract)
        monkeypatch.setattr(dividing, "LOOK_AGAIN", 0.01)

    def extract(self, workspace, task, teachers, rows, *, share, **how):
        have = {row for found in self.done.values() for row in found}
        lacking = [int(row) for row in share.rows(rows) if int(row) not in have]
        if lacking and self.place.card == 1:
            self.began.set()
            self.hold.wait(10)
        self.done.setdefault(self.place.card, []).extend(lacking)

    def run(self, card, check=lambda: None):
        self.place.card = card
        report = SimpleNamespace(check_cancelled=check, progress=lambda *told: self.hold.set())
        dividing.extract_beside(self.home, TASK, [], ROWS, views=[0], device="cuda", report=report)


def test_each_takes_its_share_and_waits_for_the_other(home, monkeypatch):
    runs = Runs(home, monkeypatch, 2)
    other = threading.Thread(target=runs.run, args=[1])
    other.start()
    assert runs.began.wait(10)
    runs.run(0)  # it says that it waits, and only then does the other go on
    other.join()
    assert sorted([*runs.done[0], *runs.done[1]]) == ROWS.tolist()
    assert {row // SHARE_ROWS % 2 for row in runs.done[0]} == {0}


@pytest.mark.parametrize("cards", [1, 3])
def test_a_run_that_is_alone_extracts_all(home, monkeypatch, cards):
    runs = Runs(home, monkeypatch, cards)
    runs.run(0)
    assert sorted(runs.done[0]) == ROWS.tolist()


def test_a_run_that_waits_can_be_cancelled(home, monkeypatch):
    runs = Runs(home, monkeypatch, 2)
    other = threading.Thread(target=runs.run, args=[1])
    other.start()
    assert runs.began.wait(10)
    with pytest.raises(KeyboardInterrupt):
        runs.run(0, check=lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    runs.hold.set()
    other.join()
