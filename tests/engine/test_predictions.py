import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DamagedFileError
from engine.predictions import joined, largest, predictions_from, read_predictions, write_predictions

CLASSES = ("ant", "bee", "cat")
ROWS = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.25, 0.5, 0.25]], np.float32)
MADE = predictions_from(["a", "b", "c"], CLASSES, np.array([0, 1, -1]), ROWS)


@pytest.mark.parametrize("kept", [3, 2])
def test_what_is_written_is_read(tmp_path, kept):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, largest(MADE, kept))
    found = read_predictions(path, "remove it")
    assert (found.image_ids, found.classes) == (("a", "b", "c"), CLASSES)
    np.testing.assert_array_equal(found.labels, [0, 1, -1])
    np.testing.assert_array_equal(found.predicted, [0, 2, 1])
    np.testing.assert_allclose(found.confidence, [0.7, 0.6, 0.5], atol=1e-3)
    assert found.probabilities.shape == (3, kept)
    assert (found.columns is None) == (kept == 3)
    if kept == 2:
        np.testing.assert_array_equal(found.columns[:2], [[0, 1], [2, 1]])


def test_the_file_is_a_table_for_others(tmp_path):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, MADE)
    table = pq.read_table(path).to_pandas()
    assert list(table["image_id"]) == ["a", "b", "c"]
    assert table["label"].isna().tolist() == [False, False, True]


def test_half_precision_does_not_change_which_class_is_the_likeliest():
    near = np.array([[0.5, 0.50001], [0.50001, 0.5]], np.float32)
    found = predictions_from(["a", "b"], CLASSES[:2], np.array([0, 0]), near)
    np.testing.assert_array_equal(found.predicted, near.argmax(1))
    assert (found.probabilities <= 1).all()


def test_parts_come_together():
    parts = [predictions_from([name], CLASSES, np.array([0]), ROWS[i : i + 1]) for i, name in enumerate("abc")]
    found = joined([largest(part, 2) for part in parts])
    np.testing.assert_array_equal(found.predicted, MADE.predicted)
    assert found.image_ids == MADE.image_ids


def test_without_a_file_there_are_none(tmp_path):
    assert read_predictions(tmp_path / "predictions.parquet", "remove it") is None


def with_column(name, values):
    def change(table):
        return table.set_column(table.column_names.index(name), name, values)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop(["probabilities"]),
        lambda table: table.replace_schema_metadata({}),
        lambda table: table.replace_schema_metadata({b"classes": b'["ant"]'}),
        with_column("label", pa.array([0, 3, None], pa.int16())),
        with_column("probabilities", pa.FixedSizeListArray.from_arrays(pa.array([np.float16(2)] * 9), 3)),
        with_column("probabilities", pa.array([None] * 3, pa.list_(pa.float16(), 3))),
    ],
)
def test_a_file_that_holds_something_else_is_damaged(tmp_path, change):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, MADE)
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(DamagedFileError, match="remove it"):
        read_predictions(path, "remove it")


def test_a_changed_byte_is_noticed(tmp_path):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, MADE)
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError):
        read_predictions(path, "remove it")
