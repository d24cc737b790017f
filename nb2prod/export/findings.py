"""What the preflight can find: one table, from which the documentation is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nb2prod.export.models import Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingKind:
    """One row: how much it weighs, what it means, and what to do about it.

    Parameters
    ----------
    way_out
        In general; a finding may know better.
    """

    severity: Severity
    summary: str
    way_out: str


FINDINGS: Mapping[str, FindingKind] = MappingProxyType(
    {
        "notebook-empty": FindingKind(
            severity=Severity.BLOCKING,
            summary="The notebook has no code.",
            way_out="Write some code first.",
        ),
        "language-unsupported": FindingKind(
            severity=Severity.BLOCKING,
            summary="The notebook's language is not Python.",
            way_out="Promote Python notebooks; other languages come later.",
        ),
        "syntax-error": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell is not valid Python.",
            way_out="Mend the cell, or make it a markdown or raw cell.",
        ),
        "top-level-await": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell awaits outside of a function, which only a notebook can do.",
            way_out="Write an `async def main()`, and call it with asyncio.run in a thread.",
        ),
        "magic-refused": FindingKind(
            severity=Severity.BLOCKING,
            summary="A magic or another piece of IPython's syntax has no faithful translation"
            " to plain Python.",
            way_out="Write the same in plain Python.",
        ),
        "package-install": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell installs packages while it runs.",
            way_out="Put the packages into the project's environment, and delete the line.",
        ),
        "ipython-only-name": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell reads a name that IPython makes, such as `_`, `Out` or `get_ipython`.",
            way_out="Give the result a name of its own, and use that.",
        ),
        "name-undefined": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell reads a name that nothing before it defines.",
            way_out="Define the name in a cell above, or move the cell that defines it up.",
        ),
        "name-deleted": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell reads a name that a cell above has deleted.",
            way_out="Delete the name later, or not at all.",
        ),
        "name-undefined-in-function": FindingKind(
            severity=Severity.WARNING,
            summary="A function reads a name that no cell defines.",
            way_out="Define the name, or give it to the function as an argument.",
        ),
        "name-unclear": FindingKind(
            severity=Severity.WARNING,
            summary="A cell reads a name that only a star import, `exec` or the like may define.",
            way_out="Import the name itself, as in `from module import name`.",
        ),
        "execution-order": FindingKind(
            severity=Severity.WARNING,
            summary="The cells were not run from top to bottom.",
            way_out="Choose Restart Kernel and Run All Cells, and look at the results again.",
        ),
        "cells-not-run": FindingKind(
            severity=Severity.NOTE,
            summary="Some cells have not been run, while others have.",
            way_out="Choose Restart Kernel and Run All Cells, or delete what is not needed.",
        ),
        "parameters-missing": FindingKind(
            severity=Severity.WARNING,
            summary="No cell is tagged `parameters`.",
            way_out="Put the values that change from run to run into one cell, and tag it"
            " `parameters`.",
        ),
        "parameters-several": FindingKind(
            severity=Severity.WARNING,
            summary="Several cells are tagged `parameters`; only the first one counts.",
            way_out="Put all parameters into one cell.",
        ),
        "parameter-skipped": FindingKind(
            severity=Severity.WARNING,
            summary="A name in the parameters cell can't be a parameter.",
            way_out="Give it a literal default, or move it out of the parameters cell.",
        ),
        "parameters-injected": FindingKind(
            severity=Severity.WARNING,
            summary="The notebook has a cell that papermill put in for one run.",
            way_out="Delete the cell tagged `injected-parameters`.",
        ),
        "absolute-path": FindingKind(
            severity=Severity.WARNING,
            summary="A file is named by a path that exists on one machine only.",
            way_out="Use a path relative to the notebook, or make it a parameter.",
        ),
    }
)
