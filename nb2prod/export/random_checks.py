"""Random numbers that nothing has seeded, so that each run draws others.

A generator that the process shares (``random``'s, numpy's, torch's, tensorflow's) is seeded by what
runs before; what a function draws, by what is seeded anywhere, since nobody knows when it is
called. A generator, estimator or splitter of one's own is seeded by its argument.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from nb2prod.export import random_tables as table
from nb2prod.export.checked_notebook import CheckedNotebook
from nb2prod.export.findings import finding
from nb2prod.export.models import Finding
from nb2prod.notebook.calls import Call, is_none, is_true

_SHOWN = 3
# A place in the notebook: number of the cell, line in its script.
_Place = tuple[int, int]
_FIRST: _Place = (0, 0)


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """Something that draws; ``generator`` is empty where nothing else could seed it."""

    generator: str
    said: str


def unseeded_randomness(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find draws of random numbers that nothing has seeded, once for each cell."""
    seeded = _seeded(checked)
    for cell, calls in checked.calls:
        found: list[tuple[int, str]] = []
        for call in calls:
            draw = _draw(call, checked)
            if draw is None or (call.function and call.function not in checked.called):
                continue
            since = seeded.get(draw.generator)
            place = (cell.number, call.line)
            if since is None or (not call.function and since > place):
                found.append((call.line, draw.said))
        if found:
            line, _ = found[0]
            yield finding(
                "unseeded-randomness",
                f"Random numbers that nothing has seeded: {_listed([said for _, said in found])}.",
                cell=cell.number,
                line=cell.author_line(line),
            )


def _seeded(checked: CheckedNotebook) -> dict[str, _Place]:
    """Return since when each shared generator is seeded."""
    since: dict[str, _Place] = {}
    first_calls: dict[str, _Place] = {}
    for cell, call in checked.every_call():
        place = _FIRST if call.function else (cell.number, call.line)
        first_calls.setdefault(call.method, place)
    for cell, call in checked.every_call():
        place = (cell.number, call.line)
        if call.function:
            # What a function seeds is seeded when it is called.
            if call.function not in checked.called:
                continue
            place = first_calls.get(call.function, _FIRST)
        for generator in _seeds(call):
            since[generator] = min(place, since.get(generator, place))
    return since


def _seeds(call: Call) -> tuple[str, ...]:
    if call.name in table.SEEDS:
        has_seed = call.node.args or call.node.keywords
        is_seeded = (has_seed and not is_none((*call.node.args, None)[0])) or call.node.keywords
        return table.SEEDS[call.name] if is_seeded else ()
    # `rng.seed(1)` seeds an object of one's own.
    is_own = isinstance(call.node.func, ast.Attribute) and not call.name
    return table.ALL if table.SEEDS_ALL.match(call.method) and not is_own else ()


def _draw(call: Call, checked: CheckedNotebook) -> _Draw | None:
    """Say what a call draws; `None` where it draws nothing, or is seeded by its arguments."""
    own = ("random_state", "generator", "seed")
    if call.may_have_more or any(not is_none(call.argument(name)) for name in own):
        return None
    if call.name in table.GENERATORS:
        is_seeded = not is_none(call.argument("seed", 0))
        return None if is_seeded else _Draw(generator="", said=f"`{call.name}` without a seed")
    for generator, pattern in table.DRAWS.items():
        if pattern.match(call.name):
            return _Draw(generator=generator, said=f"`{call.name}`")
    if _is_random_estimator(call):
        return _Draw(generator="numpy", said=f"`{call.name}` without `random_state`")
    if table.TORCH_LOADERS.match(call.name) and is_true(call.argument("shuffle")):
        return _Draw(generator="torch", said=f"`{call.name}` with `shuffle=True`")
    return _sample(call, checked)


def _is_random_estimator(call: Call) -> bool:
    shuffle = call.argument("shuffle")
    if table.SHUFFLING.match(call.name):
        return is_true(shuffle)
    is_in_order = isinstance(shuffle, ast.Constant) and shuffle.value is False
    return bool(table.ESTIMATORS.match(call.name)) and not is_in_order


def _sample(call: Call, checked: CheckedNotebook) -> _Draw | None:
    """Say what ``df.sample(…)`` draws, where it is pandas' for certain enough."""
    if call.method != "sample" or call.name or "pandas" not in checked.known.imported.values():
        return None
    first = call.node.args[0] if call.node.args else None
    is_count = isinstance(first, ast.Constant) and isinstance(first.value, int)
    names = {item.arg for item in call.node.keywords}
    if is_count or names & {"n", "frac"}:
        return _Draw(generator="numpy", said="`.sample` without `random_state`")
    return None


def _listed(said: list[str]) -> str:
    different = list(dict.fromkeys(said))
    more = len(different) - _SHOWN
    shown = ", ".join(different[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
