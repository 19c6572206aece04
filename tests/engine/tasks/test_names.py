"""Names from outside: what is stored of them, and their order."""

import itertools

import pytest

from engine.tasks.names import clean_identifier, clean_text, natural_order


def test_texts_that_are_stored_stay_apart_unless_space_or_form_differ():
    assert clean_text(" Ka\u0308fer\n") == clean_text("Käfer")
    long = "x" * 250
    kept = [clean_text(long + end) for end in ("a", "b")]
    assert kept[0] != kept[1]
    assert [len(text) for text in kept] == [200, 200]
    assert clean_text("caf\udce9") != clean_text("caf\udce8")
    assert not {"\\", "/"} & set(clean_identifier("a\0b\u2028c\udce9"))  # an upload's name becomes one in an archive
    assert "\ufffd" not in clean_text("caf\udce9") + clean_identifier("caf\udce9\n.png")


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["10", "2", "1"], ["1", "2", "10"]),
        (["1", "0", "-1"], ["-1", "0", "1"]),
        (["b", "B", "a", "A"], ["A", "a", "B", "b"]),
        (["c1", "c01", "c001", "c10", "c2"], ["c001", "c01", "c1", "c2", "c10"]),
    ],
)
def test_classes_have_one_natural_order(names, order):
    for some in itertools.permutations(names):
        assert natural_order(some) == order
