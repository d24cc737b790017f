"""What becomes of IPython's own syntax in a script: one table, and the translation by it."""

from __future__ import annotations

import ast
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from nb2prod.export import translators as to
from nb2prod.export.blocks import block, escaped
from nb2prod.export.support import SUPPORT_FUNCTIONS
from nb2prod.export.translators import Refused, Translator, shown
from nb2prod.notebook.ipython_syntax import (
    Escape,
    EscapeKind,
    dedented,
    read_layout,
    without_ipython,
)
from nb2prod.notebook.python_syntax import parse
from nb2prod.notebook.scopes import bound_names


class Action(StrEnum):
    """What is done with a piece of IPython's syntax."""

    TRANSLATE = "translate"
    DROP = "drop"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class Magic:
    """One row of the table.

    Parameters
    ----------
    name
        As in `Escape.name`.
    example
        A cell that shows it; a test translates it.
    summary
        What stands in its place; for a dropped one why nothing does; for a refused one the
        way out.
    translate, end
        For a translated one: what stands in its place; for ``%%time`` and the like: before and
        behind the rest of the cell.
    code
        Of the finding, for a refused one.
    """

    kind: EscapeKind
    name: str
    action: Action
    example: str
    summary: str
    translate: Translator | None = None
    end: Translator | None = None
    code: str = "magic-refused"


_LINE, _CELL = EscapeKind.LINE_MAGIC, EscapeKind.CELL_MAGIC


def _translated(
    kind: EscapeKind,
    name: str,
    example: str,
    summary: str,
    translate: Translator,
    end: Translator | None = None,
) -> Magic:
    return Magic(
        kind=kind,
        name=name,
        action=Action.TRANSLATE,
        example=example,
        summary=summary,
        translate=translate,
        end=end,
    )


def _dropped(kind: EscapeKind, name: str, example: str, why: str) -> Magic:
    return Magic(kind=kind, name=name, action=Action.DROP, example=example, summary=why)


def _refused(
    kind: EscapeKind, name: str, example: str, way_out: str, code: str = "magic-refused"
) -> Magic:
    return Magic(
        kind=kind, name=name, action=Action.REFUSE, example=example, summary=way_out, code=code
    )


_SHOWN_ONLY = "It only shows something to the person at the notebook."
_SETS_NOTEBOOK = "It sets up the notebook's display, which a script has not."
_EXTENSION = "It only brings magics, and those are judged one by one."
_INSTALL = "Put the packages into the project's environment, and delete the line."
_OTHER_LANGUAGE = "Move the code into a file of its own language, and call it from Python."

MAGICS: tuple[Magic, ...] = (
    _translated(_LINE, "time", "%time total = sum(range(10))",
        "The statement, and its time is printed.", to.time_statement),
    _translated(_CELL, "time", "%%time\ntotal = sum(range(10))",
        "The cell, and its time is printed.", to.time_cell, to.end_time_cell),
    _translated(_LINE, "timeit", "%timeit -n 2 -r 2 sum(range(10))",
        "The statement is run and measured by the module timeit.", to.timeit_statement),
    _translated(_CELL, "timeit", "%%timeit -n 2 -r 2\nsum(range(10))",
        "The cell becomes a function, run and measured by the module timeit.", to.timeit_cell),
    _translated(_CELL, "capture", "%%capture printed\nprint(1)",
        "What the cell prints is kept; the name has `stdout` and `stderr`.",
        to.capture_cell, to.end_capture_cell),
    _translated(EscapeKind.SHELL, "!", "files = !ls",
        "The shell's command by subprocess; what it prints is printed, or becomes a list of"
        " lines. `{expression}` and `$name` are filled in.", to.shell),
    _translated(EscapeKind.SHELL, "!!", "!!ls",
        "The lines that the shell's command prints, as a list.", to.shell),
    _translated(_LINE, "sx", "files = %sx ls", "As `!!`.", to.shell_lines),
    _translated(_LINE, "system", "files = %system ls", "As `!!`.", to.shell_lines),
    *(
        _translated(_LINE, name, f"%{name} {rest}".rstrip(), "As `!`.", to.shell_alias)
        for name, rest in (
            ("cat", "notes.txt"), ("cp", "a.csv b.csv"), ("ls", "-a"), ("mkdir", "-p out"),
            ("mv", "a.csv b.csv"), ("rm", "a.csv"), ("rmdir", "out"),
        )
    ),
    *(
        _translated(_CELL, name, f"%%{name}\necho hello",
            "The text goes to the program; what it prints is printed.", to.script_cell)
        for name in ("bash", "sh")
    ),
    _translated(_CELL, "script", "%%script bash\necho hello",
        "The text goes to the program; what it prints is printed.", to.script_cell),
    *(
        _translated(_CELL, name, f"%%{name} notes.txt\nhello",
            "The text is written to the file.", to.write_file_cell)
        for name in ("writefile", "file")
    ),
    _translated(_LINE, "cd", "%cd ..", "The working directory is changed.", to.change_folder),
    _translated(_LINE, "pwd", "here = %pwd", "The working directory.", to.working_folder),
    _translated(_LINE, "env", "%env LEVEL=info", "The variable is set or read in os.environ.",
        to.environment),
    _translated(_LINE, "set_env", "%set_env LEVEL=info", "The variable is set in os.environ.",
        to.environment),
    _dropped(_LINE, "matplotlib", "%matplotlib inline", _SETS_NOTEBOOK),
    *(
        _dropped(_LINE, name, f"%{name} {rest}".rstrip(), _SETS_NOTEBOOK)
        for name, rest in (
            ("colors", "nocolor"), ("config", "InlineBackend.figure_format = 'retina'"),
            ("doctest_mode", ""), ("gui", "qt"), ("pdb", "off"), ("pprint", ""),
            ("precision", "3"), ("xmode", "Plain"),
        )
    ),
    *(
        _dropped(_LINE, name, f"%{name} {rest}".rstrip(), _EXTENSION)
        for name, rest in (
            ("autoreload", "2"), ("load_ext", "autoreload"), ("reload_ext", "autoreload"),
            ("unload_ext", "autoreload"),
        )
    ),
    *(
        _dropped(_LINE, name, f"%{name} {rest}".rstrip(), _SHOWN_ONLY)
        for name, rest in (
            ("dhist", ""), ("hist", ""), ("history", "-n 3"), ("lsmagic", ""), ("magic", ""),
            ("pdef", "print"), ("pdoc", "print"), ("pfile", "print"), ("pinfo", "print"),
            ("pinfo2", "print"), ("psource", "print"), ("quickref", ""), ("who", ""),
            ("who_ls", ""), ("whos", ""),
        )
    ),
    *(
        _dropped(_CELL, name, f"%%{name}\n<b>hello</b>", _SHOWN_ONLY)
        for name in ("HTML", "SVG", "html", "javascript", "js", "latex", "markdown", "svg")
    ),
    _dropped(EscapeKind.HELP, "?", "print?", _SHOWN_ONLY),
    *(
        _refused(_LINE, name, f"%{name} install pandas", _INSTALL, "package-install")
        for name in ("conda", "mamba", "pip", "uv")
    ),
    _refused(_LINE, "run", "%run other.ipynb",
        "Move what is needed into a module, and import it."),
    _refused(_LINE, "load", "%load other.py",
        "Run the cell once, so that the code is in the notebook, and delete the line."),
    _refused(_LINE, "pylab", "%pylab inline",
        "Write `import numpy as np` and `import matplotlib.pyplot as plt`."),
    _refused(_LINE, "store", "%store -r table",
        "Write the value to a file, and read it from there."),
    _refused(_LINE, "reset", "%reset -f", "Delete names one by one, with `del`."),
    _refused(_LINE, "reset_selective", "%reset_selective -f x",
        "Delete names one by one, with `del`."),
    _refused(_LINE, "sql", "%sql SELECT 1",
        "Send the query by the database's Python package, as in pandas.read_sql."),
    _refused(_CELL, "sql", "%%sql\nSELECT 1",
        "Send the query by the database's Python package, as in pandas.read_sql."),
    _refused(_CELL, "bigquery", "%%bigquery table\nSELECT 1",
        "Send the query by google.cloud.bigquery."),
    _refused(_LINE, "R", "%R x <- 1", _OTHER_LANGUAGE),
    _refused(_CELL, "R", "%%R\nx <- 1", _OTHER_LANGUAGE),
    _refused(_CELL, "cython", "%%cython\ndef f(int n): return n",
        "Make it a package that is built, and import it."),
    *(
        _refused(kind, name, f"{'%' if kind is _LINE else '%%'}{name} f(1)",
            "Measure outside of the pipeline, or call the profiler's own functions.")
        for kind in (_LINE, _CELL)
        for name in ("lprun", "memit", "mprun", "prun")
    ),
    _refused(_LINE, "debug", "%debug", "Delete the line: nobody is there to answer."),
    _refused(_LINE, "tensorboard", "%tensorboard --logdir logs",
        "Delete the line, and start TensorBoard beside the notebook."),
)  # fmt: skip

_ROWS = {(row.kind, row.name): row for row in MAGICS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One piece of IPython's syntax that can't be translated; ``line`` counts in the cell."""

    line: int
    text: str
    message: str
    way_out: str
    code: str = "magic-refused"


@dataclass(frozen=True, kw_only=True)
class Translation:
    """A cell in plain Python.

    Parameters
    ----------
    source
        What stands in the script; `nb2prod.export.blocks.restored` gives the author's cell back.
    lines
        For each line of ``source`` the author's line that it comes from, from 1.
    refusals
        What could not be translated; a ``pass`` stands in its place.
    support
        The functions of `nb2prod.export.support` that it calls.
    """

    source: str
    lines: tuple[int, ...]
    refusals: tuple[Refusal, ...] = ()
    support: frozenset[str] = frozenset()


def translate(
    source: str, *, names: AbstractSet[str] | None = None, hoists_future: bool = False
) -> Translation:
    """Translate a code cell to plain Python.

    Parameters
    ----------
    names
        What `{name}` and `$name` in a command may stand for: the names that the notebook
        binds; by default those of this cell.
    hoists_future
        Whether ``from __future__`` imports are taken out, because they stand at the script's top.

    Examples
    --------
    >>> print(translate("files = !ls").source)
    # [nb2prod] files = !ls
    files = _nb2prod_shell_lines("ls")
    # [/nb2prod]
    """
    known = names_bound_in(source) if names is None else names
    plain = dedented(source)
    if plain != source:
        return _indented(source, _Translator(plain, known, hoists_future).run())
    return _Translator(source, known, hoists_future).run()


def names_bound_in(source: str) -> frozenset[str]:
    """Return the names that a cell binds in any scope; none where it is not valid Python."""
    try:
        return bound_names(parse(without_ipython(source)))
    except SyntaxError:
        return frozenset()


def _indented(source: str, translation: Translation) -> Translation:
    """Wrap the translation of a cell whose lines are all indented, which IPython allows."""
    lines = source.split("\n")
    pairs = [
        (line, number)
        for line, number in zip(translation.source.split("\n"), translation.lines, strict=True)
        if not _OWN_COMMENT.match(line)
    ]
    wrapped = [*block(lines, [line for line, _ in pairs])]
    numbers = [*range(1, len(lines) + 1), *(number for _, number in pairs), len(lines)]
    return Translation(
        source="\n".join(wrapped),
        lines=tuple(numbers),
        refusals=translation.refusals,
        support=translation.support,
    )


_OWN_COMMENT = re.compile(r"[ \t\f]*# \[/?nb2prod\+?\]")
_SUPPORT_CALL = re.compile(r"_nb2prod_\w+")


class _Translator:
    """Goes through the lines of one cell and collects those of its translation."""

    def __init__(self, source: str, names: AbstractSet[str], hoists_future: bool) -> None:  # noqa: FBT001
        self.source = source
        self.names = names
        self.hoists_future = hoists_future
        self.out: list[tuple[str, int]] = []
        self.ends: list[tuple[list[str], int]] = []
        self.refusals: list[Refusal] = []
        self.support: set[str] = set()

    def run(self) -> Translation:
        lines = self.source.split("\n")
        layout = read_layout(self.source)
        comments = {comment.line for comment in layout.comments}
        replaced = {escape.line: escape for escape in layout.escapes}
        future = self._future_imports() if self.hoists_future else {}
        number = 1
        while number <= len(lines):
            end = number
            if number in replaced:
                end = replaced[number].end_line
                self._replace(replaced[number], lines[number - 1 : end])
            elif number in future:
                end = future[number]
                note = "stands at the top of the script"
                self._add(block(lines[number - 1 : end], [], note), number)
            else:
                line = lines[number - 1]
                self._add([escaped(line) if number in comments else line], number)
            number = end + 1
        for end_lines, last in reversed(self.ends):
            self._add(block([], end_lines), last)
        return Translation(
            source="\n".join(line for line, _ in self.out),
            lines=tuple(number for _, number in self.out),
            refusals=tuple(self.refusals),
            support=frozenset(self.support),
        )

    def _replace(self, escape: Escape, original: list[str]) -> None:
        row = _ROWS.get((escape.kind, escape.name))
        note = ""
        try:
            replacement = self._replacement(escape, row)
            if row is not None and row.action is Action.DROP:
                note = f"dropped: {row.summary[0].lower()}{row.summary[1:].rstrip('.')}"
        except Refused as refused:
            replacement = [f"{escape.target} = None" if escape.target else "pass"]
            self._refuse(escape, refused)
        if not replacement and escape.indent:
            replacement = ["pass"]
        self._support(replacement)
        indented = [escape.indent + line for line in replacement]
        self._add(block(original, indented, note), escape.line)

    def _replacement(self, escape: Escape, row: Magic | None) -> list[str]:
        if row is None:
            raise _unknown(escape)
        if row.action is Action.REFUSE:
            message = "it has no counterpart there"
            raise Refused(message, row.summary, row.code)
        if row.action is Action.DROP:
            if escape.target and escape.kind is not EscapeKind.HELP:
                raise Refused(
                    f"the result of {shown(escape)} can't be assigned in a script",
                    "Get the value by plain Python.",
                )
            return []
        assert row.translate is not None
        replacement = row.translate(escape, self.names)
        if row.end is not None:
            end = row.end(escape, self.names)
            self.ends.append((end, self.source.count("\n") + 1))
            self._support(end)
        return [line for line in replacement if line]

    def _refuse(self, escape: Escape, refused: Refused) -> None:
        self.refusals.append(
            Refusal(
                line=escape.line,
                text=shown(escape),
                message=refused.message,
                way_out=refused.way_out,
                code=refused.code,
            )
        )

    def _support(self, lines: list[str]) -> None:
        self.support.update(SUPPORT_FUNCTIONS.intersection(_SUPPORT_CALL.findall("\n".join(lines))))

    def _add(self, lines: list[str], number: int) -> None:
        self.out.extend((line, number) for line in lines)

    def _future_imports(self) -> dict[int, int]:
        """First and last lines of the ``from __future__`` imports."""
        try:
            tree = parse(without_ipython(self.source))
        except SyntaxError:
            return {}
        # A line that has more than the import stays, and Python says what is wrong with it.
        shared = [(node.lineno, node.end_lineno or node.lineno) for node in tree.body]
        return {
            node.lineno: node.end_lineno or node.lineno
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            and node.module == "__future__"
            and sum(
                first <= (node.end_lineno or 0) and node.lineno <= last for first, last in shared
            )
            == 1
        }


def _unknown(escape: Escape) -> Refused:
    if escape.kind is EscapeKind.AUTOCALL:
        return Refused(
            f"a line that begins with `{escape.name}` is IPython's automatic call",
            "Write the call with its brackets.",
        )
    if escape.name.startswith("%"):
        return Refused(
            f"%{escape.name} stands inside a cell, where IPython does not know it",
            "A cell magic must be the first line of its cell.",
        )
    return Refused(
        f"{shown(escape)} is not known here, so nobody can say what it does",
        "Write the same in plain Python.",
    )
