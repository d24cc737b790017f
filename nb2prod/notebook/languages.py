"""The languages of notebooks: one row each, with all that differs between them.

A language that has no row can't be promoted. To add one, add a row, and its kernel to the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from nb2prod.errors import InvalidInput
from nb2prod.notebook import bash_syntax, r_syntax
from nb2prod.notebook.bash_parameters import scan_bash, write_bash
from nb2prod.notebook.ipython_syntax import read_layout
from nb2prod.notebook.parameter_python import to_source
from nb2prod.notebook.parameter_source import SkippedParameter, scan_parameters
from nb2prod.notebook.parameter_values import Parameter
from nb2prod.notebook.r_parameters import scan_r
from nb2prod.notebook.r_values import write_r

Scan = Callable[[str], tuple[tuple[Parameter, ...], tuple[SkippedParameter, ...]]]
Write = Callable[[Iterable[Parameter], Mapping[str, object]], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """A language that notebooks are written in.

    Parameters
    ----------
    key
        What `nb2prod.notebook.models.Notebook` and manifests call it.
    name
        What kernelspecs, jupytext and people call it.
    extension
        Of its scripts' names.
    media_type
        Of its scripts.
    scan
        Finds the parameters in the source of a cell.
    write
        Writes the source of the injected-parameters cell.
    comment_lines
        Returns the lines of a source, from 1, that are nothing but a comment; raises
        `nb2prod.notebook.plain_parameters.Unreadable`.
    """

    key: str
    name: str
    extension: str
    media_type: str
    scan: Scan
    write: Write
    comment_lines: Callable[[str], frozenset[int]]


PYTHON = Language(
    key="python",
    name="python",
    extension=".py",
    media_type="text/x-python",
    scan=scan_parameters,
    write=to_source,
    comment_lines=lambda source: frozenset(item.line for item in read_layout(source).comments),
)
R = Language(
    key="r",
    name="R",
    extension=".R",
    media_type="text/x-r-source",
    scan=scan_r,
    write=write_r,
    comment_lines=r_syntax.comment_lines,
)
BASH = Language(
    key="bash",
    name="bash",
    extension=".sh",
    media_type="text/x-sh",
    scan=scan_bash,
    write=write_bash,
    comment_lines=lambda source: bash_syntax.read_bash(source).comment_lines,
)
LANGUAGES: Mapping[str, Language] = {language.key: language for language in (PYTHON, R, BASH)}


def language_named(name: str) -> Language:
    """Return the row of a language, by the name that a kernelspec or a notebook gives it.

    Raises
    ------
    InvalidInput
        Notebooks in this language can't be promoted.

    Examples
    --------
    >>> language_named("R").extension
    '.R'
    """
    language = LANGUAGES.get(name.lower())
    if language is None:
        known = ", ".join(language.name for language in LANGUAGES.values())
        raise InvalidInput(f"Notebooks in {name} can't become scripts; those in {known} can.")
    return language
