"""The comment at the top of a script in which jupytext keeps the kernel."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nb2prod.notebook.languages import language_named
from nb2prod.notebook.models import Notebook

_RULE = "# ---"
_ENTRY = re.compile(r"#(?P<indent>\s+)(?P<key>[\w.-]+):\s*(?P<value>.*?)\s*\Z")
# Texts that YAML takes as they are; all others are written as JSON, which YAML contains.
_PLAIN = re.compile(r"[A-Za-z][\w()./+-]*(?: [\w()./+-]+)*\Z", re.ASCII)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"})


@dataclass(frozen=True, kw_only=True)
class ScriptHeader:
    """What the header says; `None` where it says nothing."""

    kernel_name: str | None = None
    kernel_display_name: str | None = None
    language: str | None = None
    nb2prod: Mapping[str, Any] | None = None


def write_header(notebook: Notebook) -> str:
    """Return the header with a newline at its end.

    ``comment_magics: false`` keeps jupytext from making magics of the author's comments.
    """
    language = language_named(notebook.language)
    ours = notebook.metadata.get("nb2prod")
    kept = [f"#   nb2prod: {_json(ours)}"] if isinstance(ours, Mapping) else []
    lines = [
        _RULE,
        "# jupyter:",
        "#   jupytext:",
        "#     comment_magics: false",
        "#     text_representation:",
        f"#       extension: {language.extension}",
        "#       format_name: percent",
        "#       format_version: '1.3'",
        "#   kernelspec:",
        f"#     display_name: {_scalar(notebook.kernel_display_name)}",
        f"#     language: {_scalar(language.name)}",
        f"#     name: {_scalar(notebook.kernel_name)}",
        *kept,
        _RULE,
    ]
    return "\n".join(lines) + "\n"


def read_header(lines: Sequence[str]) -> tuple[ScriptHeader, int]:
    """Read the header; returns it and the number of lines that it takes."""
    if not lines or lines[0] != _RULE or _RULE not in lines[1:]:
        return ScriptHeader(), 0
    end = lines.index(_RULE, 1)
    values: dict[tuple[str, ...], str] = {}
    path: list[tuple[int, str]] = []
    for line in lines[1:end]:
        match = _ENTRY.match(line)
        if match is not None:
            depth = len(match["indent"])
            path = [*(entry for entry in path if entry[0] < depth), (depth, match["key"])]
            values[tuple(key for _, key in path)] = match["value"]
    kernel = ("jupyter", "kernelspec")
    return (
        ScriptHeader(
            kernel_name=_text(values.get((*kernel, "name"))),
            kernel_display_name=_text(values.get((*kernel, "display_name"))),
            language=_text(values.get((*kernel, "language"))),
            nb2prod=_object(values.get(("jupyter", "nb2prod"))),
        ),
        end + 1,
    )


def _scalar(text: str) -> str:
    is_plain = bool(_PLAIN.match(text)) and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _text(value: str | None) -> str | None:
    if not value:
        return None
    if value.startswith('"'):
        try:
            return str(json.loads(value))
        except ValueError:
            return value.strip('"')
    return value[1:-1].replace("''", "'") if value.startswith("'") else value


def _object(value: str | None) -> Mapping[str, Any] | None:
    try:
        read = json.loads(value) if value else None
    except ValueError:
        return None
    return read if isinstance(read, dict) else None
