"""What the preflight can find: one table, from which the documentation is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nb2prod.export.models import Finding, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingKind:
    """One row: how much it weighs, what it means, and what to do about it.

    Parameters
    ----------
    way_out
        In general; a finding may know better.
    is_fixed
        Whether neither a project's policy nor a cell can weaken it: there would be no script, or
        no version.
    """

    severity: Severity
    summary: str
    way_out: str
    is_fixed: bool = False


FINDINGS: Mapping[str, FindingKind] = MappingProxyType(
    {
        "notebook-empty": FindingKind(
            severity=Severity.BLOCKING,
            summary="The notebook has no code.",
            way_out="Write some code first.",
            is_fixed=True,
        ),
        "language-unsupported": FindingKind(
            severity=Severity.BLOCKING,
            summary="The notebook's language is none that can be promoted.",
            way_out="Write it in Python, R or bash.",
            is_fixed=True,
        ),
        "syntax-error": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell is not valid in the notebook's language.",
            way_out="Mend the cell, or make it a markdown or raw cell.",
            is_fixed=True,
        ),
        "syntax-unchecked": FindingKind(
            severity=Severity.NOTE,
            summary="Whether the cells are valid R or bash could not be checked here.",
            way_out="Install the language where notebooks are checked.",
        ),
        "marker-in-text": FindingKind(
            severity=Severity.BLOCKING,
            summary="A line in a text or here-document of an R or bash notebook would begin a cell"
            " of the script.",
            way_out="Write the line in another way.",
            is_fixed=True,
        ),
        "shell-ended": FindingKind(
            severity=Severity.WARNING,
            summary="A cell ends the shell of a bash notebook, or lets any failure end it: its"
            " kernel then goes on with a new shell, so a run fails there.",
            way_out="Let the last command of the cell fail instead, as in `[ -s data.csv ]`.",
        ),
        "top-level-await": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell awaits outside of a function, which only a notebook can do.",
            way_out="Write an `async def main()`, and call it with asyncio.run in a thread.",
            is_fixed=True,
        ),
        "magic-refused": FindingKind(
            severity=Severity.BLOCKING,
            summary="A magic or another piece of IPython's syntax has no faithful translation"
            " to plain Python.",
            way_out="Write the same in plain Python.",
            is_fixed=True,
        ),
        "reserved-name": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell uses a name that begins with `_nb2prod_`, as those of the script's own"
            " functions do.",
            way_out="Give it another name.",
        ),
        "package-install": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell installs packages while it runs.",
            way_out="Put the packages into the project's environment, and delete the line.",
            is_fixed=True,
        ),
        "package-install-guarded": FindingKind(
            severity=Severity.NOTE,
            summary="A cell installs packages below a condition; a script ends there instead.",
            way_out="Have the packages in the project's environment, so that the condition is"
            " never true.",
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
        "left-out-needed": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell needs what a cell does that is tagged to be left out of the script.",
            way_out="Take the tag off the cell that is left out, or move what is needed into"
            " another one.",
        ),
        "outputs-stale": FindingKind(
            severity=Severity.WARNING,
            summary="A cell's outputs are not those of its present text, or of its last run.",
            way_out="Run the cell again, or clear its outputs.",
        ),
        "cell-failed": FindingKind(
            severity=Severity.WARNING,
            summary="A cell ended with an error when the notebook was run last.",
            way_out="Mend the cell and run it again; tag it `raises-exception` if the error is"
            " meant.",
        ),
        "outputs-large": FindingKind(
            severity=Severity.NOTE,
            summary="The outputs of a cell, or of the notebook, are large.",
            way_out="Show less, or write it to a file; clear the outputs before a commit.",
        ),
        "cell-dead": FindingKind(
            severity=Severity.NOTE,
            summary="Nothing depends on a cell, and it shows nothing.",
            way_out="Delete it, or tag it `exploration` to leave it out of the script.",
        ),
        "parameter-reassigned": FindingKind(
            severity=Severity.WARNING,
            summary="A parameter is assigned again below, so that the value given to a run is"
            " lost.",
            way_out="Give the other value another name.",
        ),
        "path-outside-project": FindingKind(
            severity=Severity.WARNING,
            summary="A path leads out of the project's folder.",
            way_out="Put the file into the project's folder, or make its path a parameter.",
        ),
        "network-access": FindingKind(
            severity=Severity.WARNING,
            summary="A cell needs the network.",
            way_out="Get the data once, by a step of its own, and read the file; or say in the"
            " notebook's metadata that runs have the internet.",
        ),
        "unseeded-randomness": FindingKind(
            severity=Severity.WARNING,
            summary="Random numbers are drawn that nothing has seeded.",
            way_out="Seed the generator in a cell above, or give `random_state`; a parameter"
            " `seed` serves both.",
        ),
        "current-time": FindingKind(
            severity=Severity.WARNING,
            summary="The time or the date of the run becomes data.",
            way_out="Make it a parameter.",
        ),
        "environment-variable": FindingKind(
            severity=Severity.NOTE,
            summary="An environment variable is read.",
            way_out="Make it a parameter; for a secret, name it among the pipeline's secrets.",
        ),
        "input-asked": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell waits for somebody to type.",
            way_out="Make it a parameter.",
        ),
        "secret-in-source": FindingKind(
            severity=Severity.BLOCKING,
            summary="A cell has a text that looks like a secret.",
            way_out="Take it out, and change it where it is good for: it may be in the history"
            " already. Keep it among the project's secrets, and read it from os.environ.",
        ),
        "secret-in-output": FindingKind(
            severity=Severity.BLOCKING,
            summary="An output has a text that looks like a secret.",
            way_out="Clear the output, and change the secret where it is good for.",
        ),
        "silence-without-reason": FindingKind(
            severity=Severity.WARNING,
            summary="A finding is silenced without a reason, so it is not silenced.",
            way_out="Write the reason behind the bracket, as in `# nb2prod: ignore[absolute-path]"
            " the same on all machines of the team`.",
        ),
        "silence-unknown": FindingKind(
            severity=Severity.WARNING,
            summary="A finding is silenced that there is not, or that can't be silenced.",
            way_out="Mend the name of the finding; docs/reference/findings.md has all.",
        ),
        "silence-unused": FindingKind(
            severity=Severity.NOTE,
            summary="A finding is silenced on a cell that does not have it.",
            way_out="Take the silence away.",
        ),
    }
)


def finding(
    code: str, message: str, *, cell: int | None = None, line: int | None = None, way_out: str = ""
) -> Finding:
    """Return a finding of the preflight's, with its kind's weight and, by default, way out."""
    kind = FINDINGS[code]
    return Finding(
        code=code,
        severity=kind.severity,
        message=message,
        way_out=way_out or kind.way_out,
        cell=cell,
        line=line,
    )
