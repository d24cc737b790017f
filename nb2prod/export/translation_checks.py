"""What can't become a script: refused pieces of IPython's syntax, and cells that are no Python."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from nb2prod.export.checked_notebook import CheckedNotebook
from nb2prod.export.findings import finding
from nb2prod.export.models import Finding
from nb2prod.notebook.python_syntax import awaits_at_top_level, syntax_error


def refused(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find what has no faithful translation."""
    for entry in checked.cells:
        for refusal in entry.translated.translation.refusals:
            yield finding(
                refusal.code,
                f"`{refusal.text}` can't become plain Python: {refusal.message}.",
                cell=entry.number,
                line=refusal.line,
                way_out=refusal.way_out,
            )


def guarded_installations(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find installations below a condition, which a script does not do."""
    for entry in checked.cells:
        if "_nb2prod_install" not in entry.translated.translation.support:
            continue
        for node in ast.walk(entry.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "_nb2prod_install":
                yield finding(
                    "package-install-guarded",
                    "The cell installs packages below a condition; the script ends there instead.",
                    cell=entry.number,
                    line=entry.author_line(node.lineno),
                )


def invalid(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find cells that Python would not start."""
    for entry in checked.cells:
        source = entry.translated.translation.source
        error = syntax_error(source)
        if error is None:
            continue
        line = entry.author_line(error.lineno)
        if awaits_at_top_level(source):
            message = "The cell awaits outside of a function."
            yield finding("top-level-await", message, cell=entry.number, line=line)
        else:
            message = f"The cell is not valid Python: {error.msg}."
            yield finding("syntax-error", message, cell=entry.number, line=line)
