from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rac.report.labels import CHAR, LINE, Label, front, place

BOUNDS = (0.0, 0.0, 400.0, 240.0)


def box(text: str, label: Label) -> tuple[float, float, float, float]:
    width = CHAR * len(text)
    left = label.x - {"start": 0.0, "middle": width / 2, "end": width}[label.anchor]
    return left, label.y + 3 - LINE, left + width, label.y + 3


def test_names_of_near_points_do_not_cover_each_other() -> None:
    names = [(f"strategy {n}", 200 + 2.0 * n, 120 + n % 3) for n in range(8)]
    boxes = [
        box(name[0], label) for name, label in zip(names, place(names, [n[1:] for n in names], BOUNDS), strict=True)
    ]
    for number, a in enumerate(boxes):
        assert a[0] >= 0 and a[1] >= 0 and a[2] <= 400 and a[3] <= 240
        for b in boxes[number + 1 :]:
            assert a[2] <= b[0] + 0.2 or b[2] <= a[0] + 0.2 or a[3] <= b[1] + 0.2 or b[3] <= a[1] + 0.2


def test_a_lone_name_stands_right_of_its_point_and_left_at_the_edge() -> None:
    assert place([("ab", 10, 20)], [(10, 20)], BOUNDS) == [Label(18, 24, "start", False)]
    assert place([("ab", 395, 20)], [(395, 20)], BOUNDS) == [Label(387, 24, "end", False)]


def test_the_front_by_hand() -> None:
    points = [(1.0, 5.0), (2.0, 4.0), (2.0, 3.0), (3.0, 3.0), (0.5, 1.0)]
    assert front(points, low_x=False) == [0, 1, 3]
    assert front(points, low_x=True) == [0, 4]
    assert front([(1, 1), (1, 1)], low_x=True) == [0, 1]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=8), st.booleans())
def test_whatever_is_off_the_front_is_beaten_by_something_on_it(points: list, low_x: bool) -> None:
    best, sign = front(points, low_x=low_x), -1 if low_x else 1
    for x, y in points:
        assert any(sign * points[n][0] >= sign * x and points[n][1] >= y for n in best)
