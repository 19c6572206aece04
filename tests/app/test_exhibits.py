"""Charts that are saved as SVG or PNG, with their table as CSV."""

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.components import exhibits
from tests.app.pages import TIMEOUT, shown


def test_a_csv_holds_plain_numbers_and_reads_back():
    table = pd.DataFrame({"Class": ["a,b", 'c"d'], "Recall, %": [-12.345678912, 100 / 3], "Images": [3, 1200]})
    text = exhibits.csv(table)
    assert text.splitlines()[1] == '"a,b",-12.3457,3'
    assert text.splitlines()[2].endswith(",33.3333,1200")
    assert exhibits.csv(pd.DataFrame({"Class": ["=1+1", "cat"], "Gain": [-1.5, 2]})).splitlines()[1] == "'=1+1,-1.5"


@pytest.mark.parametrize(
    ("name", "file"), [("Confusion matrix", "confusion-matrix"), ("../x", "x"), ("木", "table"), ("a" * 200, "a" * 80)]
)
def test_a_name_of_a_file_is_plain(name, file):
    assert exhibits.file_name(name) == file


def _page():
    import pandas as pd
    import plotly.graph_objects as go

    from app.components import exhibits

    table = pd.DataFrame({"Class": ["cat", "dog"], "Recall, %": [12.34, 56.0]})
    exhibits.draw(
        go.Figure(), table, {"Recall, %": ".1f"}, name="Recall by class", alt="Recall: cat 12.3 %, dog 56 %", key="one"
    )
    exhibits.draw_table(table, {"Recall, %": ".1f"}, name="Recall", alt="Recall", key="two")


def test_a_chart_is_saved_in_the_format_that_is_chosen_and_its_table_as_csv(home):
    app = shown(AppTest.from_function(_page, default_timeout=TIMEOUT).run())
    assert '"format": "svg"' in app.get("plotly_chart")[0].proto.config
    app.session_state["one files"] = True
    app = shown(app.run())
    assert len(app.dataframe) == 2
    assert [found.label for found in app.get("download_button")] == ["CSV", "CSV"]
    app.segmented_control[0].set_value("png")
    said = shown(app.run()).get("plotly_chart")[0].proto
    assert '"format": "png"' in said.config
    assert '"filename": "recall-by-class"' in said.config
    assert said.alt == "Recall: cat 12.3 %, dog 56 %"
