"""The corpus, run: what a notebook shows in a fresh kernel, its script prints by plain Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.corpus.comparison import first_difference, lines_of
from tests.corpus.books import GOLDEN, NAMES, book, is_exported
from tests.helpers.showing import shown_by_kernel, shown_by_script

# Where the two show other things, on purpose.
DIFFERS = {
    "figures-pylab": "IPython's advice against %pylab",
    "libraries-progress-bar": "a bar, which goes to stderr",
    "libraries-widgets": "a widget, which nobody can move",
    "magic-html-and-latex": "what only a browser shows",
    "magic-who": "the names of the session",
    "state-input-asked": "a question, which a kernel without a person does not even ask",
}
# How both end; a script has nobody to ask, which Python says in other words than a kernel.
ENDS_WITH = {
    "order-name-below": ("NameError", "NameError"),
    "state-exit": ("SystemExit", ""),
    "state-input-asked": ("StdinNotImplementedError", "EOFError"),
}


@pytest.mark.parametrize("name", [name for name in NAMES if is_exported(name)])
def test_script_prints_what_its_notebook_shows(name: str, tmp_path: Path) -> None:
    folders = [tmp_path / "kernel", tmp_path / "script"]
    for folder in folders:
        folder.mkdir()
    sources = [cell.source for cell in book(name).code_cells if not cell.is_left_out]
    script = (GOLDEN / f"{name}.py").read_text(encoding="utf-8")

    expected = shown_by_kernel(sources, folders[0])
    found = shown_by_script(script, folders[1])

    assert (expected.error, found.error) == ENDS_WITH.get(name, ("", ""))
    difference = first_difference(
        lines_of(expected.text, folder=str(folders[0])),
        lines_of(found.text, folder=str(folders[1])),
    )
    assert bool(difference) == (name in DIFFERS), difference
