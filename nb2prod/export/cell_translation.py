"""One cell in plain Python: IPython's syntax translated, and what a notebook shows, shown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import lru_cache

from nb2prod.export.automagic import explicit_magic
from nb2prod.export.awaits import awaited, awaiting_statements
from nb2prod.export.blocks import FIGURES, SHOW, block, escaped
from nb2prod.export.escape_translation import Around, Refused, shown
from nb2prod.export.magics import Action, Magic, row_of, unknown
from nb2prod.export.shown_values import (
    Interactivity,
    assigned_name,
    shown_statements,
    shows_nothing,
)
from nb2prod.export.support import SUPPORT_PREFIX, support_functions
from nb2prod.notebook.ipython_syntax import (
    Escape,
    EscapeKind,
    dedented,
    read_layout,
    without_ipython,
)
from nb2prod.notebook.python_syntax import parse
from nb2prod.notebook.scopes import bound_names


@dataclass(frozen=True, kw_only=True)
class CellContext:
    """What a cell's translation depends on, beside the cell.

    Parameters
    ----------
    names
        What `{name}` and `$name` in a command may stand for: the names that the notebook binds;
        `None` for those of the cell alone.
    hoists_future
        Whether ``from __future__`` imports are taken out, because they stand at the script's top.
    interactivity
        Which expressions are shown.
    silent
        The notebook's functions that return nothing.
    draws
        Whether the cell may draw a figure.
    remembered
        Names that keep the value that the cell shows, such as ``_3`` and ``Out[3]``.
    is_first
        Whether no code cell comes before.
    """

    names: AbstractSet[str] | None = None
    hoists_future: bool = False
    interactivity: Interactivity = Interactivity.LAST_EXPRESSION
    silent: AbstractSet[str] = frozenset()
    draws: bool = False
    remembered: tuple[str, ...] = ()
    is_first: bool = False


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

    def author_line(self, line: int) -> int:
        """Return the author's line for one of ``source``; both count from 1."""
        return self.lines[min(max(line, 1), len(self.lines)) - 1]


_NO_CONTEXT = CellContext()
_OWN_COMMENT = re.compile(r"[ \t\f]*# \[/?nb2prod\+?\]")
_SUPPORT_CALL = re.compile(r"_nb2prod_\w+")
_AWAITS = re.compile(r"\basync\b|\bawait\b|\basyncio\b")


def translate(source: str, context: CellContext = _NO_CONTEXT) -> Translation:
    r"""Translate a code cell to plain Python.

    Examples
    --------
    >>> print(translate("files = !ls\nlen(files)").source)
    # [nb2prod] files = !ls
    files = _nb2prod_shell_lines("ls")
    # [/nb2prod]
    _nb2prod_show(len(files))
    """
    if context.names is None:
        context = replace(context, names=names_bound_in(source))
    plain = dedented(source)
    magic = explicit_magic(plain, context.names or frozenset())
    if plain != source or magic is not None:
        return _in_one_block(source, _Translator(magic or plain, context).run())
    return _Translator(source, context).run()


@lru_cache(maxsize=512)
def names_bound_in(source: str) -> frozenset[str]:
    """Return the names that a cell binds in any scope; none where it is not valid Python."""
    try:
        return bound_names(parse(without_ipython(source)))
    except SyntaxError:
        return frozenset()


def _in_one_block(source: str, translation: Translation) -> Translation:
    """Wrap a translation that was made of other lines than the author's.

    IPython allows a cell whose lines are all indented, and a magic without its ``%``.
    """
    lines = source.split("\n")
    pairs = [
        (line, number)
        for line, number in zip(translation.source.split("\n"), translation.lines, strict=True)
        if not _OWN_COMMENT.match(line)
    ]
    wrapped = block(lines, [line for line, _ in pairs])
    numbers = [*range(1, len(lines) + 1), *(number for _, number in pairs), len(lines)]
    return replace(translation, source="\n".join(wrapped), lines=tuple(numbers))


@dataclass(frozen=True, kw_only=True)
class _Replaced:
    """Lines of the author's, and what stands in their place."""

    last: int
    lines: list[str]


class _Translator:
    """Goes through the lines of one cell and collects those of its translation."""

    def __init__(self, source: str, context: CellContext) -> None:
        self.source = source
        self.context = context
        self.names = context.names or frozenset()
        self.lines = source.split("\n")
        self.layout = read_layout(source)
        self.tree = _parsed(source)
        self.out: list[tuple[str, int]] = []
        self.ends: list[list[str]] = []
        self.refusals: list[Refusal] = []
        self.support: set[str] = set()
        captures = any(
            escape.kind is EscapeKind.CELL_MAGIC and escape.name == "capture"
            for escape in self.layout.escapes
        )
        # What is captured is never shown.
        self.mode = Interactivity.NONE if captures else context.interactivity
        self.shown = (
            ()
            if self.tree is None
            else shown_statements(self.tree, without_ipython(source), self.mode)
        )
        self.inserted: dict[int, list[tuple[int, str]]] = {}
        self.replaced: dict[int, _Replaced] = {}

    def run(self) -> Translation:
        self._reserved_names()
        self._awaits()
        self._values()
        if self.context.hoists_future and self.tree is not None:
            self._future_imports(self.tree)
        shown_lines = self._shown_lines()
        escapes = {escape.line: escape for escape in self.layout.escapes}
        comments = {comment.line for comment in self.layout.comments}
        number = 1
        while number <= len(self.lines):
            end = number
            if number in escapes:
                end = escapes[number].end_line
                self._replace(escapes[number], self.lines[number - 1 : end], number in shown_lines)
            elif number in self.replaced:
                end = self.replaced[number].last
                self._add(self.replaced[number].lines, number)
            else:
                line = self._edited(number)
                self._add([escaped(line) if number in comments else line], number)
            number = end + 1
        self._end()
        return Translation(
            source="\n".join(line for line, _ in self.out),
            lines=tuple(number for _, number in self.out),
            refusals=tuple(self.refusals),
            support=frozenset(self.support),
        )

    def _reserved_names(self) -> None:
        if SUPPORT_PREFIX in self.source:
            line = self.source[: self.source.index(SUPPORT_PREFIX)].count("\n") + 1
            refused = Refused(
                "names that begin so are the script's own",
                "Give it another name.",
                "reserved-name",
            )
            self._refuse(line, SUPPORT_PREFIX, refused)

    # What a notebook shows

    def _shown_lines(self) -> set[int]:
        """Return the lines on which an escape's value would be shown."""
        statements: list[ast.stmt] = [
            node
            for node in self.shown
            if isinstance(node, ast.Expr)
            and not shows_nothing(node, self.context.silent, self.names)
        ]
        # A line that is nothing but IPython's stands in the tree as `pass`.
        if self.tree is not None and self.mode is Interactivity.ALL:
            statements += [node for node in self.tree.body if isinstance(node, ast.Pass)]
        elif self.tree is not None and self.mode is not Interactivity.NONE:
            statements += [node for node in self.tree.body[-1:] if isinstance(node, ast.Pass)]
        return {node.lineno for node in statements}

    def _values(self) -> None:
        escaped_lines = {escape.line for escape in self.layout.escapes}
        for node in self.shown:
            if node.lineno in escaped_lines or node.lineno in self.replaced:
                continue
            if isinstance(node, ast.Expr):
                if not shows_nothing(node, self.context.silent, self.names):
                    self._show(node)
            else:
                self.ends.append([f"_nb2prod_show({assigned_name(node)})"])
                self.support.add("_nb2prod_show")

    def _show(self, node: ast.Expr) -> None:
        self.support.add("_nb2prod_show")
        first, last = node.lineno, node.end_lineno or node.lineno
        begin = _characters(self.lines[first - 1], node.col_offset)
        end = _characters(self.lines[last - 1], node.end_col_offset or 0)
        if self._is_one_argument(node):
            self.inserted.setdefault(first, []).append((begin, SHOW))
            self.inserted.setdefault(last, []).append((end, ")"))
            return
        # A tuple without brackets whose items alone would be other arguments.
        original = self.lines[first - 1 : last]
        text = list(original)
        text[-1] = f"{text[-1][:end]}))"
        text[0] = f"{text[0][:begin]}{SHOW}({text[0][begin:]}"
        self.replaced[first] = _Replaced(last=last, lines=block(original, text))

    def _is_one_argument(self, node: ast.Expr) -> bool:
        """Whether the value is the same between the brackets of a call."""
        value = node.value
        if not isinstance(value, ast.Tuple) or value.col_offset != node.col_offset:
            return True
        segment = ast.get_source_segment(without_ipython(self.source), node) or ""
        try:
            call = parse(f"f({segment})").body[0]
        except SyntaxError:
            return False
        if not isinstance(call, ast.Expr) or not isinstance(call.value, ast.Call):
            return False
        arguments = call.value.args
        if len(arguments) == 1:
            return ast.dump(arguments[0]) == ast.dump(value)
        return not any(isinstance(item, ast.Starred) for item in arguments)

    def _edited(self, number: int) -> str:
        line = self.lines[number - 1]
        for place, text in sorted(self.inserted.get(number, ()), reverse=True):
            line = f"{line[:place]}{text}{line[place:]}"
        return line

    # Statements that are moved as a whole

    def _awaits(self) -> None:
        if self.tree is None or not _AWAITS.search(self.source):
            return
        for node in awaiting_statements(self.tree):
            first, last = node.lineno, node.end_lineno or node.lineno
            original = self.lines[first - 1 : last]
            is_shown = node in self.shown
            try:
                self._require_own_lines(node)
                lines = awaited(node, original, is_shown=is_shown)
            except Refused as refused:
                self._refuse(first, original[0].strip(), refused)
                lines = ["pass"]
            self.replaced[first] = _Replaced(last=last, lines=block(original, lines))
            self._supported(lines)

    def _require_own_lines(self, node: ast.stmt) -> None:
        if self._shares_lines(node):
            raise Refused(
                "it awaits outside of a function, beside other code",
                "Give it a line of its own.",
                "top-level-await",
            )

    def _shares_lines(self, node: ast.stmt) -> bool:
        assert self.tree is not None
        return any(
            other is not node
            and other.lineno <= (node.end_lineno or 0)
            and node.lineno <= (other.end_lineno or 0)
            for other in self.tree.body
        )

    def _future_imports(self, tree: ast.Module) -> None:
        for node in tree.body:
            is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
            # A line that has more than the import stays, and Python says what is wrong with it.
            if is_future and not self._shares_lines(node):
                last = node.end_lineno or node.lineno
                original = self.lines[node.lineno - 1 : last]
                lines = block(original, [], "stands at the top of the script")
                self.replaced[node.lineno] = _Replaced(last=last, lines=lines)

    # IPython's own syntax

    def _replace(self, escape: Escape, original: list[str], is_shown: bool) -> None:  # noqa: FBT001
        row = row_of(escape)
        note = ""
        around = Around(
            names=self.names,
            is_shown=is_shown and not escape.target and not escape.indent,
            is_first=self.context.is_first,
        )
        try:
            replacement = self._replacement(escape, row, around)
            if row is not None and row.action is Action.DROP:
                note = f"dropped: {row.summary[0].lower()}{row.summary[1:].rstrip('.')}"
        except Refused as refused:
            replacement = [f"{escape.target} = None" if escape.target else "pass"]
            self._refuse(escape.line, shown(escape), refused)
        if not replacement and escape.indent:
            replacement = ["pass"]
        self._supported(replacement)
        indented = [escape.indent + line if line else "" for line in replacement]
        self._add(block(original, indented, note), escape.line)

    def _replacement(self, escape: Escape, row: Magic | None, around: Around) -> list[str]:
        if row is None:
            raise unknown(escape)
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
        replacement = row.translate(escape, around)
        if row.end is not None:
            end = row.end(escape, around)
            self.ends.append(end)
            self._supported(end)
        return replacement

    def _refuse(self, line: int, text: str, refused: Refused) -> None:
        self.refusals.append(
            Refusal(
                line=line,
                text=text,
                message=refused.message,
                way_out=refused.way_out,
                code=refused.code,
            )
        )

    # The end of the cell

    def _end(self) -> None:
        last = len(self.lines)
        if self.context.remembered and self.support & {"_nb2prod_show"}:
            targets = " = ".join(self.context.remembered)
            self._add(block([], [f"{targets} = _nb2prod_shown[0]"]), last)
        for lines in reversed(self.ends):
            self._add(block([], lines), last)
        if self.context.draws and not self._ends_with_show():
            self._add([FIGURES], last)
            self.support.add("_nb2prod_figures")

    def _ends_with_show(self) -> bool:
        """Whether the last statement shows the figures already."""
        last = self.tree.body[-1] if self.tree is not None and self.tree.body else None
        return isinstance(last, ast.Expr) and ast.unparse(last) in (
            "plt.show()", "pylab.show()", "pyplot.show()",
        )  # fmt: skip

    def _supported(self, lines: Iterable[str]) -> None:
        called = _SUPPORT_CALL.findall("\n".join(lines))
        self.support |= support_functions().intersection(called)

    def _add(self, lines: list[str], number: int) -> None:
        self.out.extend((line, number) for line in lines)


def _parsed(source: str) -> ast.Module | None:
    try:
        return parse(without_ipython(source))
    except SyntaxError:
        return None


def _characters(line: str, offset: int) -> int:
    """Turn the parser's offset in bytes into one in characters."""
    return len(line.encode()[:offset].decode())
