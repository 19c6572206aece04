"""Tables as the pages show them."""

import pandas as pd

from app.components import tables


def test_numbers_have_a_real_minus_and_one_number_of_digits_and_stay_numbers():
    table = pd.DataFrame({"Teacher": ["a", "b", "c"], "PARC": [9.542, -16.13, -0.01], "Low": [None, -20.8, 1.0]})
    shown = tables.written(table, {"PARC": ".1f", "Low": ".1f", "not there": ".1f"})
    cells = [[cell["display_value"] for cell in row[1:]] for row in shown._translate(False, False)["body"]]
    assert cells == [["a", "9.5", ""], ["b", "−16.1", "−20.8"], ["c", "0.0", "1.0"]]
    assert shown.data is table


def test_columns_that_say_the_same_of_all_rows_become_a_sentence():
    table = pd.DataFrame({"Teacher": ["a", "b"], "Origin": ["Bundled", "Bundled"], "Seeds": [1, 2]})
    narrow, told = tables.without_alike(table, ("Origin", "Seeds", "not there"))
    assert list(narrow) == ["Teacher", "Seeds"]
    assert told == "The same for all: origin: Bundled. "
    assert tables.without_alike(table[:1], ("Origin",))[1] == ""
