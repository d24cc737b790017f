"""How single pieces of IPython's syntax become plain Python.

Each function takes an escape and the names that the notebook binds, and returns the lines that
stand in its place, without indentation; or raises `Refused`. The table that says which function
is for which magic is in `nb2prod.export.magics`.
"""

from __future__ import annotations

import ast
import io
import re
import shlex
import tokenize
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from nb2prod.export.interpolation import expanded, quoted
from nb2prod.notebook.ipython_syntax import Escape, find_escapes
from nb2prod.notebook.python_syntax import parse

_INSTALLS = re.compile(
    r"(?:^|[\s;&|])(?:pip[0-9.]*|conda|mamba|micromamba|uv|poetry|apt|apt-get|easy_install)\b"
    r"[^;&|]*\b(?:install|uninstall|update|add|remove|easy_install)\b"
)
_TIMEIT_OPTION = re.compile(
    r"-(?P<name>[nrp])\s*(?P<value>[0-9]+)(?:\s+|\Z)|-(?P<flag>[qtc])(?:\s+|\Z)"
)
_CAPTURE_OPTIONS = {"--no-stdout": "stdout=False", "--no-stderr": "stderr=False"}
_ENVIRONMENT_WAY = "Put the packages into the project's environment, and delete the line."

Translator = Callable[[Escape, AbstractSet[str]], list[str]]


@dataclass
class Refused(Exception):
    """An escape can't be translated."""

    message: str
    way_out: str
    code: str = "magic-refused"


def shown(escape: Escape) -> str:
    """Return an escape as people write it: ``%%time``, ``!ls``."""
    percents = {"line magic": "%", "cell magic": "%%"}.get(escape.kind.value, "")
    if percents:
        return percents + escape.name
    return f"{escape.name}{escape.argument.split(' ')[0]}"


# Running and timing Python


def time_statement(escape: Escape, names: AbstractSet[str]) -> list[str]:
    """``%time statement``, ``x = %time expression``."""
    return [
        "_nb2prod_start_timer()",
        *_statement(escape, names, find=_inner_translator),
        "_nb2prod_stop_timer()",
    ]


def time_cell(escape: Escape, _names: AbstractSet[str]) -> list[str]:
    """``%%time``: what comes before the cell's own lines."""
    if escape.argument:
        raise Refused(
            "%%time takes no code on its own line",
            "Move the code to the line below.",
        )
    return ["_nb2prod_start_timer()"]


def end_time_cell(_escape: Escape, _names: AbstractSet[str]) -> list[str]:
    """``%%time``: what comes after them."""
    return ["_nb2prod_stop_timer()"]


def timeit_statement(escape: Escape, _names: AbstractSet[str]) -> list[str]:
    """``%timeit -n 10 statement``."""
    _refuse_target(escape)
    code, options = _timeit_options(escape)
    return _timeit(code, options)


def timeit_cell(escape: Escape, _names: AbstractSet[str]) -> list[str]:
    """``%%timeit``: the cell's lines become a function, as `timeit` itself makes of them."""
    setup, options = _timeit_options(escape)
    if setup:
        raise Refused(
            "%%timeit has code for preparation on its own line",
            "Move that code into a cell above.",
        )
    if find_escapes(escape.body) or _has_text_over_lines(escape.body):
        raise Refused(
            "%%timeit holds magics, or texts over several lines, which can't be moved into a"
            " function",
            "Make it a function of your own, and measure that with `%timeit`.",
        )
    return _timeit(escape.body, options)


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


def capture_cell(escape: Escape, _names: AbstractSet[str]) -> list[str]:
    """``%%capture output``: what comes before the cell's own lines."""
    options, _ = _capture_options(escape)
    return [f"_nb2prod_start_capture({', '.join(options)})"]


def end_capture_cell(escape: Escape, _names: AbstractSet[str]) -> list[str]:
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


# The shell


def shell(escape: Escape, names: AbstractSet[str]) -> list[str]:
    """``!command``, ``!!command`` and ``x = !command``."""
    command = escape.argument
    if not command:
        return ["pass"]
    if _INSTALLS.search(command):
        raise Refused("it installs packages while it runs", _ENVIRONMENT_WAY, "package-install")
    if command.endswith("&"):
        raise Refused(
            "a command in the background, which IPython refuses too",
            "Start it by subprocess.Popen.",
        )
    text = expanded(command, names)
    if escape.target or escape.name == "!!":
        return [_assigned(escape, f"_nb2prod_shell_lines({text})")]
    return [f"_nb2prod_shell({text})"]


def shell_lines(escape: Escape, names: AbstractSet[str]) -> list[str]:
    """``%sx command``."""
    return shell(replace(escape, name="!!"), names)


def shell_alias(escape: Escape, names: AbstractSet[str]) -> list[str]:
    """``%ls data``: IPython's aliases for programs."""
    _refuse_target(escape)
    return shell(
        replace(escape, name="!", argument=f"{escape.name} {escape.argument}".strip()), names
    )


def script_cell(escape: Escape, names: AbstractSet[str]) -> list[str]:
    """``%%bash``, ``%%sh`` and ``%%script program``."""
    try:
        words = shlex.split(escape.argument)
    except ValueError:
        raise Refused(f"`{escape.argument}` is not understood", "Mend its quotes.") from None
    options = {word for word in words if word.startswith("--")}
    words = [word for word in words if word not in options]
    program = words if escape.name == "script" else [escape.name, *words]
    if options - {"--no-raise-error"} or not program:
        raise Refused(
            f"`%%{escape.name} {escape.argument}` has options without a translation",
            "Run the program by subprocess.run.",
        )
    if _INSTALLS.search(escape.body):
        raise Refused("it installs packages while it runs", _ENVIRONMENT_WAY, "package-install")
    check = ", check=False" if options else ""
    shown_program = ", ".join(expanded(word, names) for word in program)
    return [
        "_nb2prod_script(",
        f"    [{shown_program}],",
        *_text_lines(escape.body),
        f"    {check.removeprefix(', ')}," if check else "",
        ")",
    ]


def write_file_cell(escape: Escape, names: AbstractSet[str]) -> list[str]:
    """``%%writefile -a path``."""
    words = escape.argument.split()
    appends = [word for word in words if word in ("-a", "--append")]
    path = " ".join(word for word in words if word not in appends)
    if not path or path.startswith("-"):
        raise Refused("%%writefile names no file", "Write `%%writefile path`.")
    return [
        "_nb2prod_write_file(",
        f"    {expanded(_unquoted(path), names)},",
        *_text_lines(escape.body),
        *(["    append=True,"] if appends else []),
        ")",
    ]


def _text_lines(text: str) -> list[str]:
    ended = text if text.endswith("\n") else f"{text}\n"
    lines = [f"    {quoted(line)}" for line in ended.splitlines(keepends=True)]
    return [*lines[:-1], f"{lines[-1]},"]


# Folders and the environment


def change_folder(escape: Escape, names: AbstractSet[str]) -> list[str]:
    """``%cd folder``."""
    _refuse_target(escape)
    words = escape.argument.split()
    quiet = ", quiet=True" if "-q" in words[:1] else ""
    folder = escape.argument.removeprefix("-q").strip() if quiet else escape.argument
    if folder.startswith("-"):
        raise Refused(
            f"`%cd {folder}` needs IPython's history of folders", "Name the folder itself."
        )
    return [f"_nb2prod_cd({expanded(_unquoted(folder) or '~', names)}{quiet})"]


def working_folder(escape: Escape, _names: AbstractSet[str]) -> list[str]:
    """``%pwd`` and ``x = %pwd``."""
    return [_assigned(escape, "_nb2prod_pwd()")]


def environment(escape: Escape, names: AbstractSet[str]) -> list[str]:
    """``%env NAME=value``, ``x = %env NAME``."""
    text = escape.argument.strip()
    if not text and not escape.target:
        return ["pass"]
    separator = "=" if "=" in text else None
    name, *value = (part.strip() for part in text.split(separator, 1)) if text else ("",)
    if not name or re.search(r"\s", name):
        raise Refused(
            f"`%{escape.name} {text}` is not understood", "Write `%env NAME=value`, or os.environ."
        )
    if value:
        _refuse_target(escape)
        return [f"_nb2prod_set_env({expanded(name, names)}, {expanded(value[0], names)})"]
    if escape.name == "set_env":
        raise Refused("%set_env has no value", "Write `%set_env NAME=value`.")
    return [_assigned(escape, f"_nb2prod_get_env({expanded(name, names)})")]


# What several of them need


def _statement(
    escape: Escape, names: AbstractSet[str], find: Callable[[Escape], Translator]
) -> list[str]:
    """Return the Python that a magic runs; it may be an escape again."""
    for inner in find_escapes(escape.argument):
        return find(inner)(replace(inner, target=escape.target or inner.target), names)
    code = _assigned(escape, escape.argument or "pass")
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


def _assigned(escape: Escape, expression: str) -> str:
    return f"{escape.target} = {expression}" if escape.target else expression


def _refuse_target(escape: Escape) -> None:
    if escape.target:
        raise Refused(
            f"the result of {shown(escape)} can't be assigned in a script",
            "Get the value by plain Python.",
        )


def _unquoted(text: str) -> str:
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def _has_text_over_lines(code: str) -> bool:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return True
    return any(
        token.start[0] != token.end[0]
        for token in tokens
        if tokenize.tok_name[token.type].startswith(("STRING", "FSTRING"))
    )
