"""tinygpt.plot: SVG that any reader of XML takes, whatever numbers and texts go in."""

import base64
import math
import struct
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np
import pytest

import tinygpt
from tinygpt import plot

pytestmark = pytest.mark.fast
SVG = "{http://www.w3.org/2000/svg}"
NAN, INF = float("nan"), float("inf")


def drawn(made, tag):
    return list(ElementTree.fromstring(made._repr_svg_()).iter(SVG + tag))


def texts(made):
    return ["".join(node.itertext()) for node in drawn(made, "text")]


def points(made):
    return [[tuple(map(float, p.split(","))) for p in line.get("points").split()] for line in drawn(made, "polyline")]


@pytest.mark.parametrize("kind", [list, tuple, np.array, tinygpt.tensor, iter], ids=lambda kind: kind.__name__)
def test_a_line_is_where_its_numbers_are(kind):
    made = plot.line(kind([1.0, 3.0, 2.0]), title="loss", x_label="step", y_label="nats")
    (((x0, y0), (x1, y1), (x2, y2)),) = points(made)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(2 * (y0 - y2), abs=0.3), "larger is higher"
    assert {"loss", "step", "nats", "0", "1", "2", "3.0"} & set(texts(made)) >= {"loss", "step", "nats", "0", "1", "2"}


def test_series_have_names_and_colours_and_share_x():
    made = plot.line({"train": [3, 2], "val <1>": [4, 3]}, x=[10, 20])
    assert "\u25ac train   \u25ac val <1>" in texts(made)
    assert [line.get("class") for line in drawn(made, "polyline")] == ["s0", "s1"]
    assert len(points(plot.line(tinygpt.ones(3, 4)))) == 3
    assert repr(made) == "<line plot: 4 points of train, val <1>>"


def test_what_is_not_finite_is_left_out_and_said():
    made = plot.line([1, 2, NAN, 4, 5, INF, -INF, 1e308, 10**400, 3])
    assert [len(line) for line in points(made)] == [2, 2] and len(drawn(made, "circle")) == 1
    assert "1 NaN and 4 infinite: not drawn" in texts(made)
    assert "1 NaN: not drawn" in texts(plot.hist([1, 2, NAN]))
    assert "1 infinite: grey" in texts(plot.heatmap([[1, INF]]))


def test_a_long_series_keeps_its_extremes_and_a_bounded_size():
    values = [math.sin(i / 1000) for i in range(100_000)]
    values[54_321] = 9.0
    made = plot.line(values)
    (line,) = points(made)
    assert len(line) <= 1000 and len(made.svg) < 40_000
    assert min(y for _, y in line) < min(y for x, y in line if abs(x - line[543][0]) > 5) - 50, "the spike"


@pytest.mark.parametrize(
    "values", [[5], [0, 0], [1e-320, 2e-320], [1e17, 1e17 + 16], [1e299, -1e299], [-3, -1], [True, False]]
)
def test_every_range_has_ticks_within_the_picture(values):
    for made in (plot.line(values), plot.hist(values), plot.heatmap([values])):
        for node in drawn(made, "text"):
            assert 0 <= float(node.get("x")) <= plot.WIDTH and 0 <= float(node.get("y")) <= plot.HEIGHT
        assert "nan" not in made.svg and len(drawn(made, "text")) < 30


def test_a_histogram_counts_each_value_once():
    made = plot.hist([0, 0, 1, 4, [4, 4]], bins=4)
    bars = [(float(b.get("x")), float(b.get("height"))) for b in drawn(made, "rect")[1:]]
    heights = [height for _, height in bars]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.2) and heights[2] == pytest.approx(3 * heights[1], abs=0.3)
    assert repr(plot.hist(np.zeros((3, 4)))) == "<histogram: 12 values in 5 bins>"


def test_a_heatmap_is_a_png_with_a_pixel_for_each_cell():
    made = plot.heatmap(tinygpt.tensor([[0.0, 1.0, -2.0]]), title="attention")
    (image,) = drawn(made, "image")
    data = base64.b64decode(image.get("href").removeprefix("data:image/png;base64,"))
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and struct.unpack(">II", data[16:24]) == (3, 1)
    at = data.index(b"IDAT")
    line = zlib.decompress(data[at + 4 : at + 4 + struct.unpack(">I", data[at - 4 : at])[0]])
    assert line == bytes([0, *plot.POSITIVE, 0, *plot.POSITIVE, 128, *plot.NEGATIVE, 255])


def test_texts_are_texts_and_a_plot_is_saved_as_svg(tmp_path):
    made = plot.line([1, 2], title="<script>\x00\ud800&", x_label="x" * 500)
    assert not drawn(made, "script") and any(text.startswith("<script>") for text in texts(made))
    made.save(tmp_path / "loss.svg")
    assert (tmp_path / "loss.svg").read_text(encoding="utf-8") == made.svg
    with pytest.raises(ValueError, match="a plot is saved as SVG: '.*png' does not end with .svg"):
        made.save(tmp_path / "loss.png")


@pytest.mark.parametrize(
    "call, error, sentence",
    [
        (lambda: plot.line("abc"), TypeError, "line: y must be numbers in a list, an array or a Tensor, not 'abc'"),
        (lambda: plot.line(5), TypeError, "line: y must be numbers in a list, an array or a Tensor, not 5"),
        (lambda: plot.line([1, "a"]), TypeError, "line: y has 'a', which is no number"),
        (lambda: plot.line({"a": [1j]}), TypeError, "line: 'a' has 1j, which is no number"),
        (lambda: plot.line([]), ValueError, "line: there is no finite number to draw"),
        (lambda: plot.line([NAN]), ValueError, "line: there is no finite number to draw"),
        (lambda: plot.line([1, 2], x=[1]), ValueError, "line: x has 1 numbers and y has 2: they must be as many"),
        (lambda: plot.line([[1]] * 9), ValueError, "line: it draws 1 to 8 series, and y has 9"),
        (lambda: plot.hist([1], bins=0), ValueError, "hist: bins must be an integer from 1 to 500, not 0"),
        (lambda: plot.hist([]), ValueError, "hist: there is no finite number to draw"),
        (lambda: plot.heatmap([1, 2]), ValueError, "heatmap: values must be a matrix [rows, columns], "),
        (lambda: plot.heatmap([[1], [1, 2]]), ValueError, "heatmap: values must be a matrix whose rows have the same"),
        (lambda: plot.heatmap([[0] * 1025]), ValueError, "heatmap: 1 x 1025 is more than 1024 rows or columns"),
    ],
)  # fmt: skip
def test_other_values_are_refused_with_a_sentence(call, error, sentence):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value).startswith(sentence)
