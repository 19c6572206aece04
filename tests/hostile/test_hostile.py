from tests.hostile.cases import all_cases
from tests.hostile.suite import run_all


def test_every_hostile_input_ends_in_a_task_or_a_sentence(tmp_path):
    outcomes = run_all(tmp_path, all_cases())
    assert [failure for found in outcomes.values() for failure in found.failures] == []
    assert sum(found.cases for found in outcomes.values()) >= 300
    assert len(outcomes) >= 25
    assert min(found.cases for found in outcomes.values()) >= 2
