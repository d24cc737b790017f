"""What differs between two notebooks, cell by cell. Pure functions.

Cells that are equal are matched first, then those that resemble each other where they stand, and
last those that went elsewhere.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from nb2prod.notebook.models import Cell

# Below, two cells have little more in common than being Python.
ALIKE = 0.5
# Where they don't stand at the same place, more is asked for.
ALIKE_ELSEWHERE = 0.75
LONG_CELL = 3000
TITLE_LENGTH = 60


class ChangeKind(StrEnum):
    """What happened to a cell from one version to another."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, kw_only=True, slots=True)
class CellChange:
    """A cell that is not the same, or not at the same place.

    Parameters
    ----------
    before, after
        The cell's number in either notebook; `None` where it has none there.
    cell_kind
        ``code``, ``markdown`` or ``raw``.
    title
        The first line that says something.
    diff
        Of the source, as a unified diff without the names of files; empty where that is equal. Of
        a cell that was added or removed, all of it.
    tags_before, tags_after
        The cell's tags.
    """

    kind: ChangeKind
    before: int | None
    after: int | None
    cell_kind: str
    title: str
    diff: str
    tags_before: tuple[str, ...]
    tags_after: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CellDiff:
    """The difference between two notebooks' cells.

    Parameters
    ----------
    changes
        In the order of the later notebook; what was removed stands where it was.
    pairs
        Numbers of the cells that are the same cell in both, changed or not.
    """

    changes: tuple[CellChange, ...]
    pairs: tuple[tuple[int, int], ...]


def compare_cells(before: Sequence[Cell], after: Sequence[Cell]) -> CellDiff:
    """Compare two notebooks' cells.

    Examples
    --------
    >>> old = [Cell(number=1, kind="code", source="a = 1"), Cell(number=2, kind="code", source="b")]
    >>> new = [Cell(number=1, kind="code", source="b"), Cell(number=2, kind="code", source="a = 2")]
    >>> [(item.kind.value, item.before, item.after) for item in compare_cells(old, new).changes]
    [('moved', 2, 1), ('changed', 1, 2)]
    """
    pairs = _pairs(before, after)
    in_place = _longest_rising(sorted(pairs.items()))
    changes = [
        change
        for old, new in pairs.items()
        if (change := _change(before[old], after[new], is_moved=old not in in_place)) is not None
    ]
    matched = set(pairs.values())
    changes += [_gone(cell) for index, cell in enumerate(before) if index not in pairs]
    changes += [_new(cell) for index, cell in enumerate(after) if index not in matched]
    followers = {before[old].number: after[new].number for old, new in pairs.items()}
    return CellDiff(
        changes=tuple(sorted(changes, key=lambda change: _place(change, followers))),
        pairs=tuple((before[old].number, after[new].number) for old, new in sorted(pairs.items())),
    )


def _pairs(before: Sequence[Cell], after: Sequence[Cell]) -> dict[int, int]:
    """Return the index in ``after`` of each cell of ``before`` that is there still."""
    keys = [[(cell.kind, cell.source) for cell in cells] for cells in (before, after)]
    matcher = difflib.SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    pairs: dict[int, int] = {}
    for block in matcher.get_matching_blocks():
        pairs |= {block.a + step: block.b + step for step in range(block.size)}
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        if tag == "replace":
            pairs |= _alike_in_order(before, after, range(a, a_end), range(b, b_end))
    pairs |= _alike_anywhere(before, after, pairs)
    return pairs


def _alike_in_order(
    before: Sequence[Cell], after: Sequence[Cell], olds: range, news: range
) -> dict[int, int]:
    """Match cells that resemble each other, without crossing: the most likeness in all."""
    best: dict[tuple[int, int], tuple[float, tuple[tuple[int, int], ...]]] = {}

    def found(i: int, j: int) -> tuple[float, tuple[tuple[int, int], ...]]:
        return best.get((i, j), (0.0, ()))

    for i in reversed(range(len(olds))):
        for j in reversed(range(len(news))):
            likeness = _likeness(before[olds[i]], after[news[j]], ALIKE)
            score, chain = found(i + 1, j + 1)
            options = [found(i + 1, j), found(i, j + 1)]
            if likeness:
                options.append((score + likeness, ((olds[i], news[j]), *chain)))
            best[i, j] = max(options, key=lambda option: option[0])
    return dict(found(0, 0)[1])


def _alike_anywhere(
    before: Sequence[Cell], after: Sequence[Cell], pairs: dict[int, int]
) -> dict[int, int]:
    taken = set(pairs.values())
    free = [index for index in range(len(after)) if index not in taken]
    scores = [
        (likeness, old, new)
        for old in range(len(before))
        if old not in pairs
        for new in free
        if (likeness := _likeness(before[old], after[new], ALIKE_ELSEWHERE))
    ]
    found: dict[int, int] = {}
    for _, old, new in sorted(scores, key=lambda score: (-score[0], score[1:])):
        if old not in found and new not in found.values():
            found[old] = new
    return found


def _likeness(before: Cell, after: Cell, least: float) -> float:
    """Return how much two cells resemble each other, from ``least`` to 1; else 0."""
    if before.kind != after.kind or not (before.source.strip() and after.source.strip()):
        return 0.0
    # By characters this would take long for long cells.
    is_long = max(len(before.source), len(after.source)) > LONG_CELL
    texts = [cell.source.split("\n") if is_long else cell.source for cell in (before, after)]
    matcher: difflib.SequenceMatcher[str] = difflib.SequenceMatcher(
        None, texts[0], texts[1], autojunk=False
    )
    # Two bounds that cost less than the likeness itself.
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= least else 0.0


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> set[int]:
    """Return the cells that stayed in their order; the others went elsewhere."""
    best: list[tuple[int, ...]] = []
    for index, (_, new) in enumerate(pairs):
        longer = [chain for chain in best if pairs[chain[-1]][1] < new]
        best.append((*max(longer, key=len, default=()), index))
    return {pairs[index][0] for index in max(best, key=len, default=())}


def _change(before: Cell, after: Cell, *, is_moved: bool) -> CellChange | None:
    diff = _diff(before.source, after.source)
    if not diff and not is_moved and before.tags == after.tags:
        return None
    return CellChange(
        kind=ChangeKind.MOVED if is_moved else ChangeKind.CHANGED,
        before=before.number,
        after=after.number,
        cell_kind=after.kind,
        title=_title(after),
        diff=diff,
        tags_before=before.tags,
        tags_after=after.tags,
    )


def _gone(cell: Cell) -> CellChange:
    return CellChange(
        kind=ChangeKind.REMOVED,
        before=cell.number,
        after=None,
        cell_kind=cell.kind,
        title=_title(cell),
        diff=_diff(cell.source, ""),
        tags_before=cell.tags,
        tags_after=(),
    )


def _new(cell: Cell) -> CellChange:
    return CellChange(
        kind=ChangeKind.ADDED,
        before=None,
        after=cell.number,
        cell_kind=cell.kind,
        title=_title(cell),
        diff=_diff("", cell.source),
        tags_before=(),
        tags_after=cell.tags,
    )


def _place(change: CellChange, followers: dict[int, int]) -> tuple[float, int]:
    if change.after is not None:
        return change.after, 1
    # Behind the last cell before it that is there still.
    earlier = [new for old, new in followers.items() if old < (change.before or 0)]
    return max(earlier, default=0) + 0.5, 0


def _diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return "".join(f"{line}\n" for line in list(lines)[2:])


def _title(cell: Cell) -> str:
    line = next((line.strip() for line in cell.source.split("\n") if line.strip()), "")
    return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 1]}…"


def shown(changes: Sequence[CellChange]) -> Iterator[str]:
    """Give a sentence on each change, in the reader's words.

    >>> list(shown([_new(Cell(number=3, kind="markdown", source="# Seats"))]))
    ['added markdown cell 3: # Seats']
    """
    for change in changes:
        numbers = {
            ChangeKind.ADDED: f"{change.after}",
            ChangeKind.REMOVED: f"{change.before}",
            ChangeKind.MOVED: f"{change.before} → {change.after}",
            ChangeKind.CHANGED: f"{change.before}"
            if change.before == change.after
            else f"{change.before}, now {change.after}",
        }[change.kind]
        words = f"{change.kind.value} {change.cell_kind} cell {numbers}: {change.title}"
        if change.before and change.after and change.tags_before != change.tags_after:
            tags = (", ".join(change.tags_before), ", ".join(change.tags_after))
            words += f" (tags: {tags[0] or 'none'} → {tags[1] or 'none'})"
        yield words
