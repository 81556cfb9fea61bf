"""Charts: where things are drawn, what they say, and that no name can break out of them."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import pytest

from gandiag.reports.charts.bars import bars
from gandiag.reports.charts.curves import DRAWN, Curve, Mark, curves
from gandiag.reports.charts.legend import legend
from gandiag.reports.charts.scale import Scale, fitted, short
from gandiag.reports.charts.scatter import Group, scatter
from gandiag.reports.charts.whiskers import Whisker, whiskers

HOSTILE = '"><script>alert(1)</script>&'


def parsed(svg):
    """The chart as XML, which it must be."""
    return ElementTree.fromstring(str(svg))


def test_a_linear_axis_maps_its_ends_and_middle():
    scale = Scale(2.0, 4.0, 100.0, 0.0)
    assert [scale(value) for value in (2.0, 3.0, 4.0, 9.0)] == [100.0, 50.0, 0.0, 0.0]


def test_a_logarithmic_axis_maps_powers_evenly():
    scale = Scale(0.01, 100.0, 0.0, 4.0, log=True)
    assert [scale(value) for value in (0.01, 0.1, 1.0, 10.0, 100.0)] == pytest.approx([0, 1, 2, 3, 4])
    assert scale(0.0) == 0.0
    assert scale.ticks() == [0.01, 0.1, 1.0, 10.0, 100.0]


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.1, 0.11), (-3, 17), (1e-9, 2e-9), (1e6, 9e6), (-1e-3, 1e-3), (12.3456, 12.3457)]
)
def test_ticks_are_round_inside_and_a_few(low, high):
    ticks = Scale(low, high, 0, 1).ticks()
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-12 <= tick <= high + 1e-12 for tick in ticks)
    step = ticks[1] - ticks[0]
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(mantissa == pytest.approx(good, rel=1e-4) for good in (1, 2, 5, 10))


@pytest.mark.parametrize(
    "values", [[], [0.0], [5.0, 5.0], [-2.0], [1e308, -1e307], [1e-300, 1e300], [1e-320], [5e-324, 2.0]]
)
def test_an_axis_fits_what_there_is(values):
    for log in (False, True):
        scale = fitted(values, 0, 100, log=log)
        assert scale.low < scale.high
        assert all(0 <= scale(value) <= 100 for value in values)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (12000, "12k"), (2.5e6, "2.5M"), (0.00004, "4e-5"), (0.25, "0.25"), (-15000, "-15k")]
)
def test_short_numbers(value, text):
    assert short(value) == text


def test_a_whisker_reaches_from_end_to_end_of_its_interval():
    chart = parsed(whiskers([Whisker("a", 2.0, (1.0, 3.0), 0), Whisker("b", 5.0, None, 1)], "fid", better="lower"))
    groups = [element for element in chart if element.get("data-series") is not None]
    assert len(groups) == 2
    lines = [line for line in groups[0] if line.tag == "line"]
    middle = float(groups[0].find("circle").get("cx"))
    assert (float(lines[0].get("x1")) + float(lines[0].get("x2"))) / 2 == pytest.approx(middle, abs=0.02)
    assert groups[0].find("title").text == "a: 2, 95% interval 1 to 3"
    assert not [line for line in groups[1] if line.tag == "line"]


def test_a_long_curve_keeps_its_spike_and_its_ends():
    points = [(float(step), 1.0) for step in range(50_000)]
    points[31_337] = (31_337.0, 9.0)
    chart = parsed(curves([Curve("loss", tuple(points), 0)], "losses"))
    path = next(element for element in chart.iter("path") if element.get("class", "").startswith("curve")).get("d")
    places = [tuple(map(float, step[1:].split())) for step in path.replace(" L", "|L").split("|")]
    assert len(places) <= DRAWN + 4
    heights = [y for _, y in places]
    assert min(heights) < max(heights) - 100  # up is a small y
    assert places[0][0] < places[-1][0]


def test_a_mark_stands_at_its_step():
    chart = parsed(curves([Curve("c", ((0.0, 1.0), (100.0, 2.0)), 0)], "t", marks=[Mark(50, "collapse", "critical")]))
    event = next(element for element in chart if element.get("class") == "event critical")
    assert event.find("title").text == "collapse at 50"
    assert float(event.find("line").get("x1")) == pytest.approx(207, abs=2)


def test_a_missing_class_is_marked():
    chart = parsed(bars([0.5, 0.0, 0.5], [0.4, 0.3, 0.3], ["0", "1", "2"], "classes", series=0))
    crosses = [element for element in chart.iter("text") if element.get("class") == "missing"]
    assert len(crosses) == 1


def test_thousands_of_points_stay_small():
    group = Group("fake", tuple((math.sin(i), math.cos(i)) for i in range(1000)), 0)
    assert len(str(scatter([group], "samples"))) < 20_000


@pytest.mark.parametrize(
    "chart",
    [
        whiskers([Whisker(HOSTILE, 1.0, (0.0, 2.0), 0)], HOSTILE),
        curves([Curve(HOSTILE, ((0.0, 1.0), (1.0, 1.0)), 0)], HOSTILE, marks=[Mark(1, HOSTILE, "info")]),
        bars([1.0], [1.0], [HOSTILE], HOSTILE, series=0),
        scatter([Group(HOSTILE, ((0.0, 0.0),), 0, large=True)], HOSTILE, labels=(HOSTILE, HOSTILE)),
        legend([(HOSTILE, 0)], toggles=True),
    ],
)
def test_no_name_breaks_out(chart):
    assert "<script" not in str(chart)
    parsed(chart)
