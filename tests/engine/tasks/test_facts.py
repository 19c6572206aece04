"""What an import keeps of each image."""

import numpy as np
import pytest

from engine.errors import DamagedFileError
from engine.tasks import read_groups
from engine.tasks.facts import FACTS_FILE, Facts, write_facts


@pytest.mark.parametrize(
    ("groups", "numbers"),
    [(["b", "", "a", "b"], [0, -1, 1, 0]), (["", "", "", ""], None), (["a", "a", "b", "c"], [0, 0, 1, 2])],
)
def test_groups_are_read_as_numbers(tmp_path, groups, numbers):
    assert read_groups(tmp_path) is None  # of a task that was not imported
    sides, same = np.full(4, 8, dtype=np.int32), np.arange(4)
    facts = Facts(sides, sides, np.array(groups), same, same, np.zeros(4, dtype=bool), [[]] * 4)
    write_facts(tmp_path, list("wxyz"), facts)
    found = read_groups(tmp_path)
    assert found is None if numbers is None else sorted(_pairs(found)) == sorted(_pairs(numbers))


def test_damaged_groups_are_named(tmp_path):
    (tmp_path / FACTS_FILE).write_bytes(b"PAR1 nothing")
    with pytest.raises(DamagedFileError, match="import the images again"):
        read_groups(tmp_path)


def _pairs(numbers):
    """Which images share a group, and which have none."""
    return {(i, j) for i, a in enumerate(numbers) for j, b in enumerate(numbers) if a == b >= 0}
