"""Errors that a user may meet: their sentences."""

import time

from engine.errors import UnknownNameError


def test_a_name_among_thousands_costs_its_sentence_only_when_it_is_shown():
    names = [f"efficientnet-{number}-of-many-networks" for number in range(2_000)]
    began = time.process_time()
    errors = [UnknownNameError("network", "efficientnet-7-of-few", names) for _ in range(5)]
    made = time.process_time() - began
    began = time.process_time()
    assert "did you mean efficientnet-7-of-many-networks" in str(errors[0])
    assert made < time.process_time() - began


def test_a_sentence_can_be_put_in_other_words():
    error = UnknownNameError("task", "x" * 100, ["a"])
    assert str(error) == f"There is no task named {'x' * 80 + '…'!r}: choose one of a."
    error.args = ("In other words.",)
    assert str(error) == "In other words."
