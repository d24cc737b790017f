"""What can be found in notebooks in other languages than Python: their syntax, and a few traps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from nb2prod.errors import InvalidInput
from nb2prod.export.checked_notebook import NotebookCheck, cells_to_check
from nb2prod.export.findings import finding
from nb2prod.export.language_script import to_language_script
from nb2prod.export.models import Finding
from nb2prod.export.own_syntax import SyntaxUnchecked, syntax_faults
from nb2prod.notebook.bash_syntax import read_bash
from nb2prod.notebook.languages import BASH, R, language_named
from nb2prod.notebook.models import Notebook
from nb2prod.notebook.plain_parameters import Unreadable
from nb2prod.notebook.r_syntax import tokens_of

_R_INSTALLERS = frozenset(
    {"install.packages", "install_github", "install_cran", "pkg_install", "p_load"}
)


def invalid_cells(notebook: Notebook) -> Iterator[Finding]:
    """Find cells that the language itself can't parse; each is read alone, as a kernel does."""
    language = language_named(notebook.language)
    try:
        faults = syntax_faults(language.key, cells_to_check(notebook))
    except SyntaxUnchecked as error:
        message = f"Whether the cells are valid {language.name} was not checked: {error}."
        yield finding("syntax-unchecked", message)
        return
    for fault in faults:
        message = f"The cell is not valid {language.name}: {fault.what}."
        yield finding("syntax-error", message, cell=fault.cell, line=fault.line)


def markers_in_texts(notebook: Notebook) -> Iterator[Finding]:
    """Find what would make the script another notebook when it is read again."""
    try:
        to_language_script(notebook)
    except InvalidInput as error:
        cell, line = error.detail.get("cell"), error.detail.get("line")
        yield finding("marker-in-text", error.message, cell=cell, line=line)


def installed_packages(notebook: Notebook) -> Iterator[Finding]:
    """Find cells that install R packages while they run."""
    if notebook.language != R.key:
        return
    for cell in cells_to_check(notebook):
        try:
            tokens = [item for item in tokens_of(cell.source) if item.kind != "space"]
        except Unreadable:
            continue
        for token, after in pairwise(tokens):
            if token.text in _R_INSTALLERS and after.text == "(":
                message = f"`{token.text}` installs packages while the cell runs."
                yield finding("package-install", message, cell=cell.number, line=token.line)


def ended_shells(notebook: Notebook) -> Iterator[Finding]:
    """Find commands that end the shell of a bash notebook, or let a failure end it."""
    if notebook.language != BASH.key:
        return
    for cell in cells_to_check(notebook):
        try:
            commands = read_bash(cell.source).commands
        except Unreadable:
            continue
        for command in commands:
            words = [word.source for word in command.words]
            is_errexit = words[0] == "set" and any(
                word.startswith("-") and ("e" in word or word == "-o") for word in words[1:]
            )
            if words[0] in ("exit", "exec", "logout") or is_errexit:
                message = (
                    f"`{' '.join(words)}` ends the notebook's shell, or lets a failure end it."
                )
                yield finding("shell-ended", message, cell=cell.number, line=command.words[0].line)


LANGUAGE_CHECKS: tuple[NotebookCheck, ...] = (
    invalid_cells,
    markers_in_texts,
    installed_packages,
    ended_shells,
)
