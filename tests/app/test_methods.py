import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from app.components.methods import FURTHER, VARIANT_DASHES, style_of, title
from engine.methods import METHODS, place

THEME = tomllib.loads((Path(__file__).parents[2] / "app" / ".streamlit" / "config.toml").read_text())["theme"]


def luminance(color):
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("method", [*METHODS, *(f"distill-weighted({p})" for p in (1, 4, 100))])
def test_lines_can_be_seen_on_both_themes(method, theme):
    assert contrast(style_of(method).color, THEME[theme]["backgroundColor"]) >= 3  # WCAG 1.4.11 for graphics


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("style", FURTHER)
def test_lines_of_methods_to_come_can_be_seen_too(style, theme):
    assert contrast(style.color, THEME[theme]["backgroundColor"]) >= 3


def test_no_two_methods_share_color_dash_or_marker():
    styles = [style_of(method) for method in METHODS]
    styles += [further for further in FURTHER if further not in styles]
    assert not {style.dash for style in styles} & set(VARIANT_DASHES)
    for first, second in combinations(styles, 2):
        assert first.color != second.color
        assert first.dash != second.dash
        assert first.symbol != second.symbol


def test_other_exponents_look_like_their_method_and_differ_from_it():
    base = style_of("distill-weighted")
    others = [style_of(f"distill-weighted({p})") for p in ("1", "4", "100", "inf")]
    assert {found.dash for found in others} == {base.dash}
    assert base.symbol not in {found.symbol for found in others}


@pytest.mark.parametrize(
    "variant",
    ["distill-consensus(neighbors=0)", "distill-consensus(4)", "distill-weighted(views=1)", "fine-tune(momentum=0.5)"],
)
def test_a_method_with_other_settings_has_its_color_and_another_line(variant):
    base, found = style_of(variant.partition("(")[0]), style_of(variant)
    assert found.color == base.color
    assert found.dash not in {style_of(method).dash for method in METHODS}
    assert found.symbol == f"{base.symbol}-open"
    assert style_of(variant) == found


def test_other_settings_beside_another_exponent_change_the_line_of_that_exponent():
    exponent, both = style_of("distill-weighted(4)"), style_of("distill-weighted(p=4,views=1)")
    assert both.color == exponent.color
    assert both.dash != exponent.dash


def test_a_method_of_another_version_still_has_name_look_and_place():
    assert title("distill-from-the-future") == "distill-from-the-future"
    assert style_of("distill-from-the-future").symbol == "circle-open"
    assert place("distill-from-the-future") == len(METHODS)
    assert place("distill-weighted(4)") == place("distill-weighted")
