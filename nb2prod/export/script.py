"""The versioned script: a notebook, a program and papermill's input at once (DESIGN §5.1).

The format is jupytext's ``py:percent``. Cells that are tagged as ours are made anew on writing
and left out on reading: the inline metadata (PEP 723), ``from __future__`` imports that Python
wants first, small functions in IPython's place, and the options of the program.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from nb2prod.errors import InvalidInput, MagicRefused
from nb2prod.export.assets import extract_assets
from nb2prod.export.blocks import escaped, restored, unescaped
from nb2prod.export.dependencies import direct_dependencies, imported_modules
from nb2prod.export.magics import Translation, names_bound_in, translate
from nb2prod.export.options import options_source
from nb2prod.export.script_header import read_header, write_header
from nb2prod.export.support import support_source
from nb2prod.notebook.dataflow import cell_names
from nb2prod.notebook.ipython_syntax import read_layout, without_ipython
from nb2prod.notebook.models import (
    INJECTED_PARAMETERS_TAG,
    PARAMETERS_TAG,
    Cell,
    CellKind,
    Notebook,
)
from nb2prod.notebook.parameters import Parameter
from nb2prod.notebook.python_syntax import parse, syntax_error

__all__ = [
    "ENVIRONMENT_TAG",
    "FUTURE_TAG",
    "GENERATED_TAGS",
    "OPTIONS_TAG",
    "SUPPORT_TAG",
    "extract_assets",
    "from_script",
    "to_script",
]

ENVIRONMENT_TAG = "nb2prod-environment"
FUTURE_TAG = "nb2prod-future"
SUPPORT_TAG = "nb2prod-support"
OPTIONS_TAG = "nb2prod-options"
GENERATED_TAGS = frozenset({ENVIRONMENT_TAG, FUTURE_TAG, SUPPORT_TAG, OPTIONS_TAG})

# What a cell keeps beside its tags; all else is an editor's, and changes when nothing has changed.
_KEPT_METADATA = ("deletable", "editable", "jupyter", "nb2prod", "slideshow", "title")
_MARKER = re.compile(r"# %%(?P<options>\s.*)?\Z")
_KIND = re.compile(r"\[(?P<kind>markdown|md|raw)\]")
_KEY = re.compile(r"(?:^|\s)(?P<key>[\w.-]+)=")


def to_script(
    notebook: Notebook,
    parameters: Sequence[Parameter],
    *,
    distributions: Mapping[str, tuple[str, ...]] | None = None,
) -> str:
    """Write a notebook as a script.

    Equal notebooks give equal bytes, and a change in one cell changes the lines of that cell
    only, and what is generated from it.

    Parameters
    ----------
    parameters
        As `nb2prod.notebook.parameters.find_parameters` finds them.
    distributions
        Top-level module → the distributions that have it, for the inline metadata.

    Raises
    ------
    MagicRefused
        A cell has IPython's syntax that can't be translated; the message names the cell.
    InvalidInput
        A cell is not valid Python, or the notebook's language is another one.
    """
    if notebook.language != "python":
        raise InvalidInput(
            f"{notebook.name} is written in {notebook.language}; only Python becomes a script."
        )
    cells = [cell for cell in notebook.cells if not GENERATED_TAGS.intersection(cell.tags)]
    sources = [cell.source for cell in cells if cell.kind == "code"]
    names = frozenset().union(*map(names_bound_in, sources))
    translations = [translate(source, names=names) for source in sources]
    support, future = _support(sources, translations, names), _future_imports(sources)
    hoists = bool(future) and (bool(support) or not _is_first(sources, translations))
    if hoists:
        translations = [translate(source, names=names, hoists_future=True) for source in sources]
    _check([cell for cell in cells if cell.kind == "code"], translations)

    dependencies = direct_dependencies(imported_modules(sources), distributions or {})
    texts = iter(translation.source for translation in translations)
    parts = [write_header(notebook), _code(_environment(dependencies), ENVIRONMENT_TAG)]
    first = next((cell for cell in cells if cell.kind == "code"), None)
    options_after = _options_place(cells) if parameters else None
    for cell in cells:
        if cell is first:
            parts += [_code("\n".join(future), FUTURE_TAG)] if hoists else []
            parts += [_code(support, SUPPORT_TAG)] if support else []
        parts.append(_written(cell, next(texts) if cell.kind == "code" else ""))
        if cell is options_after:
            parts.append(_code(options_source(parameters, notebook.title), OPTIONS_TAG))
    return "\n".join(parts)


def from_script(script: str, *, name: str) -> Notebook:
    """Read a script as the notebook that it was: the author's cells, their magics too.

    Parameters
    ----------
    name
        Of the notebook.
    """
    lines = script.replace("\r\n", "\n").split("\n")
    header, start = read_header(lines)
    comments = {comment.line - 1 for comment in read_layout("\n".join(lines)).comments}
    markers = [
        number
        for number in range(start, len(lines))
        if number in comments and _MARKER.match(lines[number])
    ]
    # What stands before the first marker, in a program that somebody wrote by hand.
    first = markers[0] if markers else len(lines)
    pieces = [("# %%", lines[start:first])] if any(map(str.strip, lines[start:first])) else []
    for number, end in pairwise([*markers, len(lines)]):
        pieces.append((lines[number], lines[number + 1 : end]))
    cells: list[Cell] = []
    for marker, content in pieces:
        cell = _read(marker, content, number=len(cells) + 1)
        if not GENERATED_TAGS.intersection(cell.tags):
            cells.append(cell)
    kernel_name = header.kernel_name or "python3"
    return Notebook(
        name=name,
        cells=tuple(cells),
        kernel_name=kernel_name,
        kernel_display_name=header.kernel_display_name or kernel_name,
        language=header.language or "python",
        metadata=_notebook_metadata(header.nb2prod),
    )


def _notebook_metadata(ours: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if ours is None else {"nb2prod": dict(ours)}


# Writing


def _written(cell: Cell, code: str) -> str:
    if cell.kind == "code":
        text = code
    else:
        lines = cell.source.split("\n") if cell.source else []
        text = "\n".join(escaped(f"# {line}" if line else "#") for line in lines)
    return f"{_marker(cell)}\n{text}\n" if text else f"{_marker(cell)}\n"


def _marker(cell: Cell) -> str:
    kind = {"code": "", "markdown": " [markdown]", "raw": " [raw]"}[cell.kind]
    metadata = {key: cell.metadata[key] for key in _KEPT_METADATA if key in cell.metadata}
    title = metadata.pop("title", "")
    if cell.tags:
        metadata["tags"] = list(cell.tags)
    shown = "".join(
        f" {key}={json.dumps(metadata[key], ensure_ascii=False, sort_keys=True)}"
        for key in sorted(metadata)
    )
    return f"# %%{' ' + title if _is_title(title) else ''}{kind}{shown}"


def _is_title(title: object) -> bool:
    return (
        isinstance(title, str)
        and title == " ".join(title.split())
        and title.isprintable()
        and not re.search(r"[\[\]=%]", title)
        and bool(title)
    )


def _code(source: str, tag: str) -> str:
    return f'# %% tags=["{tag}"]\n{source}\n'


def _environment(dependencies: Sequence[str]) -> str:
    listed = ["dependencies = ["]
    listed += [f"    {json.dumps(name)}," for name in dependencies]
    listed = [*listed, "]"] if dependencies else ["dependencies = []"]
    return "\n".join(
        [
            "# A notebook imports where it needs to.",
            "# ruff: noqa: E402, RUF100",
            "",
            "# /// script",
            *(f"# {line}" for line in listed),
            "# ///",
        ]
    )


def _support(
    sources: Sequence[str], translations: Sequence[Translation], names: frozenset[str]
) -> str:
    needed = set().union(*(translation.support for translation in translations))
    if "display" not in names and any(map(_shows, sources)):
        needed.add("display")
    return support_source(needed)


def _shows(source: str) -> bool:
    if "display" not in source:
        return False
    names = cell_names(source)
    return "display" in names.used_builtins | names.deferred_builtins


def _future_imports(sources: Sequence[str]) -> list[str]:
    found: list[str] = []
    for source in sources:
        try:
            statements = parse(without_ipython(source)).body
        except SyntaxError:
            continue
        found += [
            ast.unparse(node)
            for node in statements
            if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ]
    return list(dict.fromkeys(found))


def _is_first(sources: Sequence[str], translations: Sequence[Translation]) -> bool:
    """Whether all ``from __future__`` imports stand where Python wants them already."""
    is_valid = syntax_error(translations[0].source) is None
    return is_valid and not _future_imports(sources[1:])


def _options_place(cells: Sequence[Cell]) -> Cell | None:
    """Return the cell after which the options come: behind values that papermill injected."""
    codes = [cell for cell in cells if cell.kind == "code"]
    for number, cell in enumerate(codes):
        if PARAMETERS_TAG in cell.tags:
            follower = codes[number + 1] if number + 1 < len(codes) else cell
            return follower if INJECTED_PARAMETERS_TAG in follower.tags else cell
    return None


def _check(cells: Sequence[Cell], translations: Sequence[Translation]) -> None:
    for cell, translation in zip(cells, translations, strict=True):
        for refusal in translation.refusals:
            raise MagicRefused(
                f"Cell {cell.number}, line {refusal.line}: `{refusal.text}` can't become plain"
                f" Python: {refusal.message}. {refusal.way_out}",
                cell=cell.number,
                line=refusal.line,
            )
        error = syntax_error(translation.source)
        if error is not None:
            line = _author_line(translation, error)
            raise InvalidInput(
                f"Cell {cell.number}, line {line}, is not valid Python: {error.msg}. Mend it, or"
                " make it a markdown or raw cell.",
                cell=cell.number,
                line=line,
            )


def _author_line(translation: Translation, error: SyntaxError) -> int:
    place = min(max(error.lineno or 1, 1), len(translation.lines))
    return translation.lines[place - 1]


# Reading


def _read(marker: str, lines: Sequence[str], *, number: int) -> Cell:
    kind, metadata = _options(marker)
    content = list(lines)
    while content and not content[-1]:
        content.pop()
    if kind == "code":
        source = restored("\n".join(content))
    else:
        source = "\n".join(_text_line(line) for line in content)
    tags = metadata.get("tags")
    return Cell(
        number=number,
        kind=kind,
        source=source,
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        metadata=metadata,
    )


def _text_line(line: str) -> str:
    line = unescaped(line)
    return "" if line == "#" else line.removeprefix("# ")


def _options(marker: str) -> tuple[CellKind, dict[str, Any]]:
    text = marker.removeprefix("# %%").strip()
    key = _KEY.search(text)
    before = text[: key.start()] if key else text
    kind_match = _KIND.search(before)
    metadata: dict[str, Any] = dict(_key_values(text[key.start() :])) if key else {}
    title = (before[: kind_match.start()] if kind_match else before).strip()
    if title:
        metadata["title"] = title
    kind: CellKind = "code"
    if kind_match:
        kind = "raw" if kind_match["kind"] == "raw" else "markdown"
    return kind, metadata


def _key_values(text: str) -> Iterator[tuple[str, Any]]:
    decoder = json.JSONDecoder()
    position = 0
    while match := _KEY.search(text, position):
        try:
            value, position = decoder.raw_decode(text, match.end())
        except ValueError:
            position = match.end()
            continue
        yield match["key"], value
