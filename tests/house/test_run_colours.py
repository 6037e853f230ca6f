"""The colours of runs (app/chart/run_colours.css): readable on the panel, apart for every eye."""

import itertools
import pathlib
import re

import numpy as np
import pytest

pytestmark = pytest.mark.fast

APP = pathlib.Path(__file__).resolve().parents[2] / "app"
CONTRAST = 3.0  # WCAG 2.2, 1.4.11: graphics
APART = 0.09  # distance in Oklab; a difference that is just seen is about 0.02
# Linear RGB as an eye without one kind of cone sees it (Machado, Oliveira and Fernandes 2009).
EYES = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}
# Oklab (Ottosson 2020)
CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
OPPONENTS = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    low, high = sorted(linear(one) @ [0.2126, 0.7152, 0.0722] + 0.05 for one in (a, b))
    return high / low


def seen(colour, eye):
    """Oklab of a colour, to an eye."""
    return np.array(OPPONENTS) @ np.cbrt(np.array(CONES) @ np.clip(np.array(EYES[eye]) @ linear(colour), 0, 1))


def themes(css):
    """{selector: {variable: colour}} of the rules that set variables."""
    rules = re.findall(r"(:root[^{]*)\{([^{}]*)\}", css)
    found = {}
    for selector, body in rules:
        found.setdefault(selector.strip(), {}).update(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", body))
    return found


RUNS = themes((APP / "chart/run_colours.css").read_text())
PAGE = themes((APP / "ui/page.css").read_text())
THEMES = [":root", ':root:not([data-theme="light"])', ':root[data-theme="dark"]']


@pytest.mark.parametrize("theme", THEMES)
def test_each_colour_has_enough_contrast_where_runs_are_shown(theme):
    colours = RUNS[theme]
    assert sorted(colours) == ["--run-%d" % i for i in range(1, 9)]
    for name, colour in colours.items():
        for place in ("--panel", "--hover"):
            assert contrast(colour, PAGE[theme][place]) >= CONTRAST, (name, place)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("theme", THEMES)
def test_two_colours_are_never_taken_for_each_other(theme, eye):
    for (a, one), (b, other) in itertools.combinations(RUNS[theme].items(), 2):
        assert np.linalg.norm(seen(one, eye) - seen(other, eye)) >= APART, (a, b)


def test_both_dark_rules_are_the_same():
    assert RUNS[THEMES[1]] == RUNS[THEMES[2]]
