from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from rac.report.curves import HEIGHT, WIDTH, chart, panels, short, ticks

SVG = "{http://www.w3.org/2000/svg}"


def test_ticks_cover_the_numbers() -> None:
    assert ticks(12_000, 900_000, log=True) == [1e4, 1e5, 1e6]
    assert ticks(5, 5, log=True) == [1, 10]
    assert ticks(0.42, 0.88, log=False) == [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [short(v) for v in (10_000, 1e6, 2.5e9, 0.01)] == ["10 k", "1 M", "2.5 G", "0.01"]


def test_points_lie_inside_and_text_is_escaped() -> None:
    drawn = ET.fromstring(chart("<b>", {"a & b": [(10, 1), (1000, 100)]}, "n"))
    circles = drawn.findall(f"{SVG}circle")
    assert len(circles) == 2
    assert all(0 < float(c.get("cx", 0)) < WIDTH and 0 < float(c.get("cy", 0)) < HEIGHT for c in circles)
    assert float(circles[0].get("cy", 0)) > float(circles[1].get("cy", 0))
    assert next(t.text for t in drawn.findall(f"{SVG}text")) == "<b>"
    assert "a & b: 10: 1, 1 k: 100" in str(drawn.get("aria-label"))


def test_nothing_draws_nothing() -> None:
    assert chart("t", {}, "x") == ""


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=4, alphabet="ab<&\"'"),
        st.lists(st.tuples(st.floats(1e-3, 1e9), st.floats(1e-3, 1e9)), min_size=1, max_size=4),
        min_size=1, max_size=3,
    ),
    st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
def test_any_numbers_make_a_valid_image(series: dict, log_x: bool, log_y: bool, lines: bool) -> None:
    drawn = chart("t", series, "x", log_x=log_x, log_y=log_y, lines=lines)
    whole = ET.fromstring(panels([drawn, drawn, drawn]))
    for circle in whole.iter(f"{SVG}circle"):
        assert -0.1 <= float(circle.get("cx", 0)) <= WIDTH + 0.1 and -0.1 <= float(circle.get("cy", 0)) <= HEIGHT + 0.1
