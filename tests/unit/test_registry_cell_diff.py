"""Which cells differ between two notebooks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.notebook.models import Cell
from nb2prod.registry.cell_diff import CellChange, compare_cells, shown
from tests.helpers.notebooks import code, markdown, notebook

LOAD = "import pandas as pd\n\nframe = pd.read_csv('seats.csv')\nframe.head()"
FIT = "model = fit(frame)\nprint(model.score(frame))"
PLOT = "frame.plot(x='date', y='seats')\nshow()"


def cells(*given_cells: Cell) -> tuple[Cell, ...]:
    return notebook(*given_cells).cells


def told(changes: tuple[CellChange, ...]) -> list[tuple[str, int | None, int | None]]:
    return [(change.kind.value, change.before, change.after) for change in changes]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([LOAD, FIT], [LOAD, FIT], []),
        ([LOAD, FIT], [LOAD, FIT, PLOT], [("added", None, 3)]),
        ([LOAD, PLOT, FIT], [LOAD, FIT], [("removed", 2, None)]),
        ([LOAD, FIT], [LOAD.replace("seats", "rows"), FIT], [("changed", 1, 1)]),
        ([LOAD, FIT, PLOT], [FIT, PLOT, LOAD], [("moved", 1, 3)]),
        (
            [LOAD, FIT],
            [PLOT, LOAD, FIT + "\nprint('done')"],
            [("added", None, 1), ("changed", 2, 3)],
        ),
        (
            [LOAD, FIT, PLOT],
            [FIT, PLOT, LOAD.replace("head", "tail")],
            [("moved", 1, 3)],
        ),
        ([LOAD], [PLOT], [("removed", 1, None), ("added", None, 1)]),
        ([], [FIT], [("added", None, 1)]),
    ],
)
def test_compare_cells_tells_what_became_of_each(
    before: list[str], after: list[str], expected: list[tuple[str, int | None, int | None]]
) -> None:
    found = compare_cells(cells(*map(code, before)), cells(*map(code, after))).changes

    assert told(found) == expected


def test_changed_cell_shows_its_lines_and_its_tags() -> None:
    before = cells(markdown("# Seats"), code(FIT, tags=["fit"]))
    after = cells(markdown("# Seats and rows"), code(FIT, tags=["parameters"]))

    text, tagged = compare_cells(before, after).changes

    assert "-# Seats\n+# Seats and rows\n" in text.diff
    assert (tagged.diff, tagged.tags_before, tagged.tags_after) == ("", ("fit",), ("parameters",))
    assert list(shown((text, tagged))) == [
        "changed markdown cell 1: # Seats and rows",
        "changed code cell 2: model = fit(frame) (tags: fit → parameters)",
    ]


def test_code_that_became_text_is_another_cell() -> None:
    found = compare_cells(cells(code("alpha = 1")), cells(markdown("alpha = 1"))).changes

    assert told(found) == [("removed", 1, None), ("added", None, 1)]


def test_long_cells_are_compared_in_a_moment() -> None:
    lines = [f"value_{number} = compute({number})" for number in range(20_000)]
    before, after = "\n".join(lines), "\n".join([*lines[:9_000], "other = 1", *lines[9_000:]])

    found = compare_cells(cells(code(before)), cells(code(after)))

    assert told(found.changes) == [("changed", 1, 1)]


SOURCES = st.lists(
    st.sampled_from([LOAD, FIT, PLOT, LOAD + "\n1", FIT + "\n2", "x", ""]), max_size=7
)


@given(SOURCES, SOURCES)
def test_every_cell_is_matched_or_told_of(before: list[str], after: list[str]) -> None:
    old, new = cells(*map(code, before)), cells(*map(code, after))

    found = compare_cells(old, new)

    pairs = dict(found.pairs)
    assert len(set(pairs.values())) == len(found.pairs)
    changes = found.changes
    removed = {change.before for change in changes if change.after is None}
    added = {change.after for change in changes if change.before is None}
    assert removed | set(pairs) == set(range(1, len(old) + 1))
    assert added | set(pairs.values()) == set(range(1, len(new) + 1))
    for one, other in pairs.items():
        is_same = old[one - 1].source == new[other - 1].source
        told_of = [change for change in changes if (change.before, change.after) == (one, other)]
        assert is_same or told_of
        assert all(bool(change.diff) != is_same for change in told_of)
    if before == after:
        assert changes == ()
