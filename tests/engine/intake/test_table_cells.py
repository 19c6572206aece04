"""What the cells of tables say: no label, one or several, and rows that are broken."""

import pytest

from engine.errors import DamagedFileError
from engine.intake.layouts.table_cells import several_labels
from tests.engine.intake.tables_seen import asked, labels, pictures


def test_several_labels_in_a_cell_are_never_classes_by_default(seen):
    rows = [["f", "labels"], *([f"{i:03d}.jpg", ("cat", "dog", "cat dog", "air cat")[i % 4]] for i in range(12))]
    found = seen({**pictures(12), "l.csv": rows})
    assert labels(found) == {"cat": 3, "dog": 3, None: 6}
    (question,) = found.questions
    assert "not supported yet: choose a column" in question.text
    assert {one.key: one.labeled_images for one in question.interpretations} == {
        "single": 6,
        "combined": 12,
        "name": 12,
    }
    combined = seen({**pictures(12), "l.csv": rows}, **{"several-labels": "combined"})
    assert labels(combined) == {"cat": 3, "dog": 3, "cat + dog": 3, "air + cat": 3}


def with_labels(seen, values, **answers):
    rows = [["f", "label"], *([f"{i:03d}.jpg", values[i % len(values)]] for i in range(2 * len(values)))]
    return seen({**pictures(2 * len(values)), "l.csv": rows}, **answers)


@pytest.mark.parametrize(
    "names",
    [
        ["left hand", "right hand", "left foot", "right foot", "left lower leg", "right lower leg", "skull"],
        [
            "grey heron",
            "great blue heron",
            "little blue heron",
            "little egret",
            "great egret",
            "cattle egret",
            "mallard",
        ],
    ],
)
def test_names_of_several_words_are_classes_and_asked_about(seen, names):
    found = with_labels(seen, names)
    assert labels(found) == dict.fromkeys(names, 2)
    assert asked(found) == {"several-labels": "name"}
    assert "have texts of several words in 'label', such as" in found.questions[0].text
    few = with_labels(seen, names, **{"several-labels": "single"})
    assert labels(few) == {names[-1]: 2, None: 2 * len(names) - 2}  # as tags, of which an image has several


@pytest.mark.parametrize("sign", [", ", "; ", "|"])
def test_lists_of_labels_may_be_said_to_be_names(seen, sign):
    names = [sign.join(pair) for pair in (("tit", "blue"), ("tit", "great"), ("heron", "blue"), ("heron", "great"))]
    assert labels(with_labels(seen, names)) == {None: 8}
    assert asked(with_labels(seen, names)) == {"several-labels": "single"}
    assert labels(with_labels(seen, names, **{"several-labels": "name"})) == dict.fromkeys(names, 2)


def test_tags_that_are_labels_by_themselves_stay_lists(seen):
    tags = [
        "clear",
        "haze",
        "water",
        "clear water",
        "haze water",
        "clear haze",
        "road",
        "clear road water",
        "haze road",
    ]
    assert labels(with_labels(seen, tags)) == {"clear": 2, "haze": 2, "water": 2, "road": 2, None: 10}


@pytest.mark.parametrize(
    ("values", "lists"),
    [
        (["cat|dog", "bird"], {"cat|dog": ("cat", "dog")}),
        (["[0, 1]", "[2]", "[]"], {"[0, 1]": ("0", "1"), "[2]": ("2",), "[]": ()}),
        (["['cat', 'dog']"], {"['cat', 'dog']": ("cat", "dog")}),
        (["air hockey", "ice hockey", "archery"], {}),
        (["hockey", "air hockey"], {}),
        (["Sparrow, House", "Sparrow, Tree", "Crow"], {}),
        (["a,b", "b,c", "a,c"], {"a,b": ("a", "b"), "b,c": ("b", "c"), "a,c": ("a", "c")}),
        (["Quercus robur", "Quercus rubra", "Acer rubrum"], {}),
        (["HPV+", "HPV-", "C++", "1/2"], {}),
    ],
)
def test_lists_of_labels_and_names_of_several_words(values, lists):
    assert several_labels(values) == lists


def test_tags_are_lists_by_their_many_combinations():
    few = [
        "clear primary",
        "haze primary",
        "clear primary water",
        "cloudy",
        "haze road",
        "clear road water",
        "haze mine",
    ]
    assert set(several_labels(few)) == set(few) - {"cloudy"}
    words = ["haze", "clear", "primary", "water", "road"]
    tags = [f"{a} {b}" for i, a in enumerate(words) for b in words[i + 1 :]] + [
        "haze primary water",
        "clear road water",
    ]
    assert set(several_labels(tags)) == set(tags)


def test_an_image_in_two_rows_with_two_labels_has_several(seen):
    rows = [
        ["f", "label"],
        *([f"{i % 8:03d}.jpg", "ab"[(i + i // 8) % 2] if i % 8 < 2 else "ab"[i % 2]] for i in range(16)),
    ]
    found = seen({**pictures(8), "boxes.csv": rows})
    assert labels(found) == {"a": 3, "b": 3, None: 2}
    assert "several-labels" in asked(found)


@pytest.mark.parametrize("word", ["NA", "NaN", "null", "None", "N/A", "#N/A", "<NA>"])
def test_words_for_an_empty_cell_are_no_class_unless_one_says_so(seen, word):
    rows = [["f", "label"], *([f"{i:03d}.jpg", ("cat", "dog", word)[i % 3]] for i in range(12))]
    found = seen({**pictures(12), "l.csv": rows})
    assert labels(found) == {"cat": 4, "dog": 4, None: 4}
    assert asked(found) == {"no-label-words": "empty"}
    assert labels(seen({**pictures(12), "l.csv": rows}, **{"no-label-words": "class"})) == {"cat": 4, "dog": 4, word: 4}


def broken(seen, *rows, start="image,label"):
    lines = [start, *(f"{i:03d}.jpg,{'ab'[i % 2]}" for i in range(6)), *rows]
    return seen({**pictures(8), "l.csv": "\n".join(lines) + "\n"})


def test_a_row_of_more_cells_than_columns_is_refused(seen):
    with pytest.raises(
        DamagedFileError, match=r"l\.csv line 8 has 3 cells, while the header has 2: put the text in quo"
    ):
        broken(seen, "006.jpg,Sparrow, House", "007.jpg,a")
    with pytest.raises(DamagedFileError, match=r"line 8 has 3 cells, while the first row has 2"):
        broken(seen, "006.jpg,Sparrow, House", start="007.jpg,b")
    assert labels(broken(seen, '006.jpg,"Sparrow, House"', "007.jpg,a,, ")) == {"a": 4, "b": 3, "Sparrow, House": 1}


def test_a_quotation_mark_that_stays_open_is_refused_where_it_opens(seen):
    with pytest.raises(
        DamagedFileError, match=r"l\.csv line 8 cannot be .* \(a quotation mark in it is not closed\): mend"
    ):
        broken(seen, '006.jpg,"5in pipe', "007.jpg,a")
    with pytest.raises(DamagedFileError, match=r"line 8 .* \(a quotation mark in it is open until line 9, where"):
        broken(seen, '006.jpg,"5in pipe', '007.jpg,"a"')
    with pytest.raises(DamagedFileError, match="line 2 cannot be read as a table"):
        broken(seen, start='image,label\n"006.jpg,a')
    assert labels(broken(seen, '006.jpg,5" pipe', '007.jpg,"6"" pipe\nof lead"')) == {
        **{"a": 3, "b": 3},
        **{'5" pipe': 1, '6" pipe of lead': 1},
    }


def test_a_broken_table_that_names_no_image_is_not_read(seen):
    files = {f"{name}/{i}.jpg": None for name in ("cat", "dog") for i in range(4)}
    assert labels(seen({**files, "log.csv": 'made by a machine\nday,hours,who\n1,2,"me'})) == {"cat": 4, "dog": 4}


def test_a_broken_table_about_other_images_is_not_read(seen):
    files = {f"{name}/{i}.jpg": None for name in ("cat", "dog") for i in range(4)}
    broken = "url,author,licence\nhttps://example.org/Felis.jpg,Smith, John,CC\n"
    assert labels(seen({**files, "sources.csv": broken})) == {"cat": 4, "dog": 4}


def test_text_behind_a_closing_quotation_mark_breaks_no_row(seen):
    rows = ["file,label", '000.jpg,"cat" ', '"001.jpg" ,cat', *(f"{i:03d}.jpg,dog" for i in range(2, 8))]
    assert labels(seen({**pictures(8), "l.csv": "\n".join(rows)})) == {"cat": 2, "dog": 6}


@pytest.mark.parametrize("rest", ['"cat" ,"dog', '"cat" ,' + "x" * 2_000_000], ids=["open", "long"])
def test_text_behind_a_quotation_mark_hides_no_other_fault(seen, rest):
    rows = ["file,label,note", *(f"{i:03d}.jpg,dog,n" for i in range(7)), f"007.jpg,{rest}", "008.jpg,dog,n"]
    with pytest.raises(DamagedFileError, match=r"l\.csv line (9|10) "):
        seen({**pictures(9), "l.csv": "\n".join(rows)})


def test_many_combinations_of_few_words_are_tags_by_default(seen):
    words = ["haze", "clear", "primary", "water", "road"]
    tags = [f"{a} {b}" for a in words for b in words if a != b] + ["haze primary water", "clear road water"]
    assert asked(with_labels(seen, tags)) == {"several-labels": "single"}


def test_an_answer_about_the_texts_of_one_column_stops_no_other(seen):
    rows = [["f", "label", "tone"]]
    for i in range(8):
        name = ("traffic light", "stop sign", "give way", "no entry", "one way")[i % 5]
        rows += [[f"{i:03d}.jpg", name, tone] for tone in ("dark", "light")]
    found = seen({**pictures(8), "l.csv": rows}, **{"several-labels": "name"})
    assert sum(labels(found).values()) == 8


def test_a_table_without_a_header(seen):
    rows = [[f"{i:03d}.jpg", "ab"[i % 2]] for i in range(8)]
    found = seen({**pictures(8), "l.csv": rows})
    assert labels(found) == {"a": 4, "b": 4}
    assert "l.csv has no header: its first row names an image." in found.notes
    stems = [[f"{i:03d}", "ab"[i % 2]] for i in range(8)]
    assert labels(seen({**pictures(8), "l.csv": stems})) == {"a": 4, "b": 4}


def test_a_header_is_one_even_if_an_image_is_called_so(seen):
    rows = [["image", "label"], *([f"{i:03d}", "ab"[i % 2]] for i in range(8))]
    assert labels(seen({**pictures(8), "image.jpg": None, "l.csv": rows})) == {"a": 4, "b": 4}


def test_an_answer_that_is_none_decides_nothing(seen):
    rows = [["f", "tone", "shade"], *([f"{i:03d}.jpg", "ab"[i % 2], "xyz"[i % 3]] for i in range(12))]
    found = seen({**pictures(12), "l.csv": rows}, **{"label-column": "tnoe"})
    assert asked(found) == {"label-column": "tone"}
