"""Translators of what reaches the system: commands, programs, files, folders, variables."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from nb2prod.export.escape_translation import (
    Around,
    Refused,
    assigned,
    refuse_target,
    unquoted,
)
from nb2prod.export.interpolation import expanded, quoted
from nb2prod.notebook.ipython_syntax import Escape

_INSTALLS = re.compile(
    r"(?:^|[\s;&|])(?:pip[0-9.]*|conda|mamba|micromamba|uv|poetry|apt|apt-get|easy_install)\b"
    r"[^;&|]*\b(?:install|uninstall|update|add|remove|easy_install)\b"
)
# Code of the finding.
PACKAGE_INSTALL = "package-install"
# IPython's aliases on Linux that aren't just the program's name; colours are left out.
_LONG_LIST = "ls -F -o"
_ALIASES = {
    "ls": "ls -F",
    "ll": _LONG_LIST,
    "lf": f"{_LONG_LIST} %l | grep ^-",
    "lk": f"{_LONG_LIST} %l | grep ^l",
    "ldir": f"{_LONG_LIST} %l | grep /$",
    "lx": f"{_LONG_LIST} %l | grep ^-..x",
}
_ENVIRONMENT_WAY = "Put the packages into the project's environment, and delete the line."


def shell(escape: Escape, around: Around) -> list[str]:
    """``!command``, ``!!command`` and ``x = !command``."""
    command = escape.argument
    if not command:
        return ["pass"]
    if _INSTALLS.search(command):
        return installation(escape, around)
    if command.endswith("&"):
        raise Refused(
            "a command in the background, which IPython refuses too",
            "Start it by subprocess.Popen.",
        )
    text = expanded(command, around.names)
    if escape.target or escape.name == "!!":
        return [assigned(escape, f"_nb2prod_shell_lines({text})", around)]
    return [f"_nb2prod_shell({text})"]


def installation(escape: Escape, around: Around) -> list[str]:
    """``!pip install x`` and ``%pip install x``: refused, unless a condition stands before it.

    Then it is for another place (where a package is missing, a hosted notebook): a script says so
    if it ever gets there.
    """
    if not escape.indent or escape.target:
        raise Refused("it installs packages while it runs", _ENVIRONMENT_WAY, PACKAGE_INSTALL)
    return [f"_nb2prod_install({expanded(escape.argument, around.names)})"]


def shell_lines(escape: Escape, around: Around) -> list[str]:
    """``%sx command``."""
    return shell(replace(escape, name="!!"), around)


def shell_alias(escape: Escape, around: Around) -> list[str]:
    """``%ls data``: IPython's aliases for programs."""
    refuse_target(escape)
    command, _, behind = _ALIASES.get(escape.name, escape.name).partition(" %l")
    command = f"{command} {escape.argument}".strip() + behind
    return shell(replace(escape, name="!", argument=command), around)


def script_cell(escape: Escape, around: Around) -> list[str]:
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
        raise Refused("it installs packages while it runs", _ENVIRONMENT_WAY, PACKAGE_INSTALL)
    check = ", check=False" if options else ""
    shown_program = ", ".join(expanded(word, around.names) for word in program)
    return [
        "_nb2prod_script(",
        f"    [{shown_program}],",
        *_text_lines(escape.body),
        f"    {check.removeprefix(', ')}," if check else "",
        ")",
    ]


def write_file_cell(escape: Escape, around: Around) -> list[str]:
    """``%%writefile -a path``."""
    words = escape.argument.split()
    appends = [word for word in words if word in ("-a", "--append")]
    path = " ".join(word for word in words if word not in appends)
    if not path or path.startswith("-"):
        raise Refused("%%writefile names no file", "Write `%%writefile path`.")
    return [
        "_nb2prod_write_file(",
        f"    {expanded(unquoted(path), around.names)},",
        *_text_lines(escape.body),
        *(["    append=True,"] if appends else []),
        ")",
    ]


def _text_lines(text: str) -> list[str]:
    ended = text if text.endswith("\n") else f"{text}\n"
    lines = [f"    {quoted(line)}" for line in ended.splitlines(keepends=True)]
    return [*lines[:-1], f"{lines[-1]},"]


def change_folder(escape: Escape, around: Around) -> list[str]:
    """``%cd folder``."""
    refuse_target(escape)
    words = escape.argument.split()
    quiet = ", quiet=True" if "-q" in words[:1] else ""
    folder = escape.argument.removeprefix("-q").strip() if quiet else escape.argument
    if folder.startswith("-"):
        raise Refused(
            f"`%cd {folder}` needs IPython's history of folders", "Name the folder itself."
        )
    return [f"_nb2prod_cd({expanded(unquoted(folder) or '~', around.names)}{quiet})"]


def working_folder(escape: Escape, around: Around) -> list[str]:
    """``%pwd`` and ``x = %pwd``."""
    return [assigned(escape, "_nb2prod_pwd()", around)]


def environment(escape: Escape, around: Around) -> list[str]:
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
        refuse_target(escape)
        given = expanded(value[0], around.names)
        return [f"_nb2prod_set_env({expanded(name, around.names)}, {given})"]
    if escape.name == "set_env":
        raise Refused("%set_env has no value", "Write `%set_env NAME=value`.")
    return [assigned(escape, f"_nb2prod_get_env({expanded(name, around.names)})", around)]
