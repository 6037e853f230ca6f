"""The styles keep their scale of type, and the page's colours their contrast (WCAG 2.1, 1.4.3 and
1.4.11) in both themes.
"""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.fast
ROOT = Path(__file__).resolve().parents[2]
SHEETS = sorted((ROOT / "app").rglob("*.css"))
SCALE = {13, 14, 15, 16, 20}  # px: labels, prose, heads, generated text, the page's name and numbers
EXCEPTIONS = {"app/panels/inside/inside.css": {11}}  # letters on the axes of a map
TEXT, SHAPE = 4.5, 3.0  # least contrast: of text, of what is not text


def themes():
    """{name: {variable: colour}} of page.css."""
    text = (ROOT / "app/ui/page.css").read_text()
    blocks = re.findall(r":root(\[data-theme=\"dark\"\])? \{([^}]*)\}", text)
    found = {}
    for dark, body in blocks:
        name = "dark" if dark else "light"
        found[name] = {**found.get(name, {}), **dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", body))}
    return found


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_size_of_type_is_of_the_scale():
    for sheet in SHEETS:
        name = str(sheet.relative_to(ROOT))
        sizes = re.findall(r"font(?:-size)?: [^;{}]*?(\d+(?:\.\d+)?)px", sheet.read_text())
        assert {float(size) for size in sizes} <= SCALE | EXCEPTIONS.get(name, set()), name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_stand_out_from_what_is_behind_them(theme):
    colours = themes()[theme]
    for behind in ("panel", "back", "hover", "select", "active"):
        assert contrast(colours["text"], colours[behind]) >= TEXT, behind
    for name in ("muted", "bad", "good", "keyword", "string", "number", "comment", "name"):
        for behind in ("panel", "back" if name in ("muted", "bad", "good") else "panel"):
            assert contrast(colours[name], colours[behind]) >= TEXT, (name, behind)
    assert contrast(colours["accent-text"], colours["accent"]) >= TEXT
    assert contrast(colours["text"], colours["bad-back"]) >= TEXT
    for name in ("train", "validation"):
        assert contrast(colours[name], colours["panel"]) >= SHAPE, name


def test_both_ways_to_the_dark_theme_are_the_same():
    text = (ROOT / "app/ui/page.css").read_text()
    system, chosen = re.findall(r":root(?::not\(\[data-theme=\"light\"\]\)|\[data-theme=\"dark\"\]) \{([^}]*)\}", text)
    assert system.split() == chosen.split()


def test_what_moves_by_itself_rests_where_motion_is_not_wanted():
    for sheet in SHEETS:
        text = sheet.read_text()
        if re.search(r"\b(transition|animation)\s*:(?! none)", text):
            assert "prefers-reduced-motion: reduce" in text, sheet.name
