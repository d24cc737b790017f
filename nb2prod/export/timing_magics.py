"""Translators of magics that run the notebook's own code: to time it, or to keep what it prints."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from nb2prod.export.escape_translation import (
    Around,
    Refused,
    Translator,
    assigned,
    has_text_over_lines,
    refuse_target,
    shown,
)
from nb2prod.export.shell_magics import shell
from nb2prod.notebook.ipython_syntax import Escape, find_escapes
from nb2prod.notebook.python_syntax import parse
from nb2prod.notebook.scopes import stored_names

_TIMEIT_OPTION = re.compile(
    r"-(?P<name>[nrp])\s*(?P<value>[0-9]+)(?:\s+|\Z)|-(?P<flag>[qtc])(?:\s+|\Z)"
)
_CAPTURE_OPTIONS = {"--no-stdout": "stdout=False", "--no-stderr": "stderr=False"}


def time_statement(escape: Escape, around: Around) -> list[str]:
    """``%time statement``, ``x = %time expression``."""
    is_silenced = escape.argument.rstrip().endswith(";")
    is_shown = around.is_shown and not is_silenced and _is_expression(escape.argument)
    # The value comes below the times.
    timed = replace(escape, target="_nb2prod_value") if is_shown else escape
    return [
        "_nb2prod_start_timer()",
        *_statement(timed, around),
        "_nb2prod_stop_timer()",
        *(["_nb2prod_show(_nb2prod_value)"] if is_shown else []),
    ]


def time_cell(escape: Escape, _around: Around) -> list[str]:
    """``%%time``: what comes before the cell's own lines."""
    if escape.argument:
        raise Refused(
            "%%time takes no code on its own line",
            "Move the code to the line below.",
        )
    return ["_nb2prod_start_timer()"]


def end_time_cell(_escape: Escape, _around: Around) -> list[str]:
    """``%%time``: what comes after them."""
    return ["_nb2prod_stop_timer()"]


def timeit_statement(escape: Escape, _around: Around) -> list[str]:
    """``%timeit -n 10 statement``."""
    refuse_target(escape)
    code, options = _timeit_options(escape)
    return _timeit(code, options)


def timeit_cell(escape: Escape, _around: Around) -> list[str]:
    """``%%timeit``: the cell's lines become a function, as `timeit` itself makes of them."""
    setup, options = _timeit_options(escape)
    code = f"{setup}\n{escape.body}"
    if find_escapes(code) or has_text_over_lines(code):
        raise Refused(
            "%%timeit holds magics, or texts over several lines, which can't be moved into a"
            " function",
            "Make it a function of your own, and measure that with `%timeit`.",
        )
    if setup:
        return _prepared_timeit(setup, escape.body, options)
    return _timeit(escape.body, options)


def _prepared_timeit(setup: str, code: str, options: list[str]) -> list[str]:
    try:
        shared = stored_names(parse(setup)) & stored_names(parse(code))
    except SyntaxError:
        raise Refused("what %%timeit measures is not valid Python", "Mend it.") from None
    inner = [f"nonlocal {', '.join(sorted(shared))}"] if shared else []
    return [
        "def _nb2prod_prepare():",
        f"    {setup}",
        "",
        "    def _nb2prod_timed():",
        *(f"        {line}" if line.strip() else "" for line in (*inner, *code.split("\n"))),
        "",
        "    return _nb2prod_timed",
        "",
        f"_nb2prod_timeit({', '.join(['_nb2prod_prepare()', *options])})",
    ]


def _timeit(code: str, options: list[str]) -> list[str]:
    try:
        tree = parse(code.strip() if "\n" not in code.strip() else code)
    except SyntaxError:
        raise Refused("what %timeit measures is not valid Python", "Mend it.") from None
    if not tree.body:
        return ["pass"]
    only = tree.body[0]
    if len(tree.body) == 1 and isinstance(only, ast.Expr) and "\n" not in code.strip():
        source = ast.get_source_segment(code.strip(), only.value) or ast.unparse(only)
        return [f"_nb2prod_timeit({', '.join([f'lambda: {source}', *options])})"]
    body = [f"    {line}" if line.strip() else "" for line in code.split("\n")]
    call = f"_nb2prod_timeit({', '.join(['_nb2prod_timed', *options])})"
    return ["def _nb2prod_timed():", *body, "", call]


def _timeit_options(escape: Escape) -> tuple[str, list[str]]:
    rest, options = escape.argument, []
    while match := _TIMEIT_OPTION.match(rest):
        rest = rest[match.end() :]
        if match["name"] in ("n", "r"):
            name = {"n": "number", "r": "repeat"}[match["name"]]
            options.append(f"{name}={int(match['value'])}")
    if rest.startswith("-"):
        raise Refused(
            f"the option {rest.split()[0]} of %timeit has no translation",
            "Measure with the module timeit.",
        )
    return rest, options


def capture_cell(escape: Escape, _around: Around) -> list[str]:
    """``%%capture output``: what comes before the cell's own lines."""
    options, _ = _capture_options(escape)
    return [f"_nb2prod_start_capture({', '.join(options)})"]


def end_capture_cell(escape: Escape, _around: Around) -> list[str]:
    """``%%capture output``: what comes after them."""
    _, target = _capture_options(escape)
    call = "_nb2prod_stop_capture()"
    return [f"{target} = {call}" if target else call]


def _capture_options(escape: Escape) -> tuple[list[str], str]:
    words = escape.argument.split()
    names = [word for word in words if not word.startswith("-")]
    unknown = [
        word
        for word in words
        if word.startswith("-") and word not in (*_CAPTURE_OPTIONS, "--no-display")
    ]
    if unknown or len(names) > 1 or not all(map(str.isidentifier, names)):
        raise Refused(
            f"`%%capture {escape.argument}` is not understood",
            "Write `%%capture name`, or contextlib.redirect_stdout.",
        )
    options = [_CAPTURE_OPTIONS[word] for word in words if word in _CAPTURE_OPTIONS]
    return options, names[0] if names else ""


def _statement(escape: Escape, around: Around) -> list[str]:
    """Return the Python that a magic runs; it may be an escape again."""
    silent = replace(around, is_shown=False)
    for inner in find_escapes(escape.argument):
        return _inner_translator(inner)(
            replace(inner, target=escape.target or inner.target), silent
        )
    code = assigned(escape, escape.argument or "pass", silent)
    try:
        parse(code)
    except SyntaxError:
        raise Refused(
            f"what {shown(escape)} runs is not valid Python on this one line",
            f"Use `%%{escape.name}` at the top of the cell.",
        ) from None
    return [code]


def _inner_translator(escape: Escape) -> Translator:
    if escape.kind.value == "shell command":
        return shell
    if escape.name == "time":
        return time_statement
    raise Refused(
        f"{shown(escape)} inside of %time has no translation", "Write it on a line of its own."
    )


def _is_expression(code: str) -> bool:
    try:
        (statement,) = parse(code.strip()).body
    except (SyntaxError, ValueError):
        return bool(find_escapes(code))
    return isinstance(statement, ast.Expr)
