"""The preflight: what is wrong with a notebook, said before it is promoted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from nb2prod.export.absolute_paths import absolute_paths
from nb2prod.export.findings import FINDINGS
from nb2prod.export.magics import Translation, names_bound_in, translate
from nb2prod.export.models import Finding, Severity
from nb2prod.export.name_checks import CellFacts, name_problems
from nb2prod.export.script import GENERATED_TAGS
from nb2prod.export.support import SUPPORT_PREFIX
from nb2prod.notebook.dataflow import CellNames, cell_names
from nb2prod.notebook.models import INJECTED_PARAMETERS_TAG, PARAMETERS_TAG, Cell, Notebook
from nb2prod.notebook.parameter_source import scan_parameters
from nb2prod.notebook.parameters import find_parameters
from nb2prod.notebook.python_syntax import awaits_at_top_level, parse, syntax_error

_WEIGHTS = {Severity.BLOCKING: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_SHOWN = 3
# How many cells from the top may hold what could be parameters.
_TOP_CELLS = 5


@dataclass(frozen=True, kw_only=True)
class _CodeCell:
    """A code cell, as it stands in the notebook and as it would in the script."""

    cell: Cell
    translation: Translation

    def author_line(self, line: int | None) -> int | None:
        """Return the author's line for one of the translation."""
        lines = self.translation.lines
        return None if line is None else lines[min(max(line, 1), len(lines)) - 1]


def preflight(notebook: Notebook) -> tuple[Finding, ...]:
    """Check a notebook without running it.

    Returns
    -------
    tuple of Finding
        Blocking ones first, then by cell and line. `nb2prod.export.findings.FINDINGS` has all
        codes.
    """
    if notebook.language != "python":
        message = f"The notebook is written in {notebook.language}, not in Python."
        return (_finding("language-unsupported", message),)
    cells = [
        cell
        for cell in notebook.code_cells
        if not GENERATED_TAGS.intersection(cell.tags) and _has_code(cell.source)
    ]
    if not cells:
        return (_finding("notebook-empty", "The notebook has no code."),)
    names = frozenset().union(*(names_bound_in(cell.source) for cell in cells))
    code = [
        _CodeCell(cell=cell, translation=translate(cell.source, names=names, hoists_future=True))
        for cell in cells
    ]
    findings = [
        *_refused(code),
        *_invalid(code),
        *_names(code),
        *_order(cells),
        *_parameters(notebook, cells),
        *_paths(code),
    ]
    return tuple(sorted(findings, key=_weight))


def _weight(finding: Finding) -> tuple[int, int, int]:
    return _WEIGHTS[finding.severity], finding.cell or 0, finding.line or 0


def _finding(
    code: str, message: str, *, cell: int | None = None, line: int | None = None, way_out: str = ""
) -> Finding:
    kind = FINDINGS[code]
    return Finding(
        code=code,
        severity=kind.severity,
        message=message,
        way_out=way_out or kind.way_out,
        cell=cell,
        line=line,
    )


def _has_code(source: str) -> bool:
    lines = (line.strip() for line in source.split("\n"))
    return any(line and not line.startswith("#") for line in lines)


def _refused(code: Sequence[_CodeCell]) -> Iterator[Finding]:
    for entry in code:
        for refusal in entry.translation.refusals:
            yield _finding(
                refusal.code,
                f"`{refusal.text}` can't become plain Python: {refusal.message}.",
                cell=entry.cell.number,
                line=refusal.line,
                way_out=refusal.way_out,
            )


def _invalid(code: Sequence[_CodeCell]) -> Iterator[Finding]:
    for entry in code:
        error = syntax_error(entry.translation.source)
        if error is None:
            continue
        line = entry.author_line(error.lineno)
        if awaits_at_top_level(entry.translation.source):
            message = "The cell awaits outside of a function."
            yield _finding("top-level-await", message, cell=entry.cell.number, line=line)
        else:
            message = f"The cell is not valid Python: {error.msg}."
            yield _finding("syntax-error", message, cell=entry.cell.number, line=line)


def _names(code: Sequence[_CodeCell]) -> Iterator[Finding]:
    facts = [CellFacts(number=entry.cell.number, names=_facts(entry)) for entry in code]
    for problem in name_problems(facts):
        yield _finding(
            problem.code,
            problem.message,
            cell=problem.cell,
            line=problem.line,
            way_out=problem.way_out,
        )


def _facts(entry: _CodeCell) -> CellNames:
    names = cell_names(entry.translation.source)
    lines = {name: entry.author_line(line) or 1 for name, line in names.lines.items()}
    # Nobody knows what a magic without a translation would have defined.
    is_unclear = any(refusal.code == "magic-refused" for refusal in entry.translation.refusals)
    return replace(
        names,
        used=_without_ours(names.used),
        used_deferred=_without_ours(names.used_deferred),
        may_define_anything=names.may_define_anything or is_unclear,
        lines=lines,
    )


def _without_ours(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in names if not name.startswith(SUPPORT_PREFIX))


def _order(cells: Sequence[Cell]) -> Iterator[Finding]:
    ran = [cell for cell in cells if cell.execution_count is not None]
    pairs = [
        (above, below)
        for above, below in pairwise(ran)
        if (below.execution_count or 0) <= (above.execution_count or 0)
    ]
    if pairs:
        shown = "; ".join(
            f"cell {above.number} [{above.execution_count}] was run after cell"
            f" {below.number} [{below.execution_count}] below it"
            for above, below in pairs[:_SHOWN]
        )
        more = f"; and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
        message = f"The cells were not run from top to bottom: {shown}{more}."
        yield _finding("execution-order", message, cell=pairs[0][1].number)
    missed = [cell.number for cell in cells if cell.execution_count is None]
    if ran and missed:
        message = f"Not run, while others were: {_listed(missed)}."
        yield _finding("cells-not-run", message, cell=missed[0])


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(f"cell {number}" for number in numbers[:_SHOWN])
    return f"{shown} and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else shown


def _parameters(notebook: Notebook, cells: Sequence[Cell]) -> Iterator[Finding]:
    for cell in cells:
        if INJECTED_PARAMETERS_TAG in cell.tags:
            message = "The cell holds the parameters of an earlier run by papermill."
            yield _finding("parameters-injected", message, cell=cell.number)
    tagged = [cell for cell in notebook.code_cells if PARAMETERS_TAG in cell.tags]
    if not tagged:
        yield _without_parameters(cells)
        return
    for cell in tagged[1:]:
        message = f"The cell is tagged `parameters`, as cell {tagged[0].number} is."
        yield _finding("parameters-several", message, cell=cell.number)
    for skipped in find_parameters(notebook).skipped:
        if skipped.name:
            message = f"`{skipped.name}` is no parameter: {skipped.why}."
            number = tagged[0].number
            yield _finding("parameter-skipped", message, cell=number, line=skipped.line)


def _without_parameters(cells: Sequence[Cell]) -> Finding:
    message = "No cell is tagged `parameters`, so every run is the same."
    for cell in cells[:_TOP_CELLS]:
        parameters, _ = scan_parameters(cell.source)
        if parameters:
            names = ", ".join(f"`{parameter.name}`" for parameter in parameters[:8])
            way_out = (
                f"Tag cell {cell.number} `parameters`; it assigns {names}."
                if _only_assigns(cell.source)
                else f"Move what changes from run to run, such as {names} of cell {cell.number},"
                " into a cell of its own, and tag it `parameters`."
            )
            return _finding("parameters-missing", message, way_out=way_out)
    return _finding("parameters-missing", message)


def _only_assigns(source: str) -> bool:
    import ast

    try:
        statements = parse(source).body
    except SyntaxError:
        return False
    return all(isinstance(node, ast.Assign | ast.AnnAssign) for node in statements)


def _paths(code: Sequence[_CodeCell]) -> Iterator[Finding]:
    for entry in code:
        for path in absolute_paths(entry.translation.source):
            yield _finding(
                "absolute-path",
                f"`{path.text}` exists on one machine only.",
                cell=entry.cell.number,
                line=entry.author_line(path.line),
            )
