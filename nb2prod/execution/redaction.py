"""Taking secrets and tokens out of what a run puts out, before anything of it is written down.

A value is looked for as it is and as programs usually write it: escaped for JSON, Python, HTML or
an address, in base64 and in hexadecimal digits; through colours of a terminal, tags of HTML and
broken lines; and across the pieces in which a stream comes (`StreamRedactor`). Each place is
replaced by the value's name. What a notebook does on purpose to hide a value (reversed, letter by
letter, encrypted) nobody can find: it has the value.
"""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from nb2prod.workspace.tokens import TOKEN_PREFIX

T = TypeVar("T")

# As the workspace's own rule for secrets has it; what is shorter stands in any text by chance.
MIN_CHARACTERS = 6
# Of a value of several lines: a line that is as long tells something, and is looked for by itself.
MIN_LINE_CHARACTERS = 12

# Our own tokens are known by their look, whosever they are.
_TOKEN = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{32,}}")
_TOKEN_BEGUN = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]*\Z")
# What may stand within a value without changing what a reader sees of it.
_ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])"
_COLOURS = re.compile(rf"{_ESCAPES}|\x1b(?:\[[0-?]*[ -/]*)?\Z")
_COLOURS_AND_BREAKS = re.compile(rf"{_ESCAPES}|[\r\n]+")
_TAGS_AND_BREAKS = re.compile(r"<[^<>]*>|[\r\n]+")
_TOKEN_NAMES = ("MLFLOW_TRACKING_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN")
_SENT_BY_KERNELS = frozenset({"output", "data", "metadata", "state"})

Span = tuple[int, int, str]


class Redactor:
    """Knows the secrets of a run, and takes them out of texts and whatever holds texts.

    Parameters
    ----------
    secrets, tokens
        Values by name. Those of fewer than `MIN_CHARACTERS` are not looked for.
    """

    def __init__(
        self, secrets: Mapping[str, str] | None = None, tokens: Mapping[str, str] | None = None
    ) -> None:
        named = [(f"[secret {name}]", value) for name, value in (secrets or {}).items()]
        named += [(f"[token {name}]", value) for name, value in (tokens or {}).items()]
        found: dict[str, str] = {}
        for mark, value in named:
            for form in _forms(value):
                found.setdefault(form, mark)
        # Longest first: what is a part of another form is then found within it.
        self._forms = tuple(sorted(found.items(), key=lambda item: -len(item[0])))
        self._unbroken = tuple(
            {re.sub(r"[\r\n]", "", form): mark for form, mark in self._forms}.items()
        )
        self._bytes = tuple((form.encode(), mark) for form, mark in self._forms)
        self._longest = max((len(form) for form, _ in self._forms), default=0)

    @classmethod
    def of_process(cls, secrets: Mapping[str, str], environment: Mapping[str, str]) -> Redactor:
        """Return one for a process that has secrets, and tokens in its environment.

        Parameters
        ----------
        environment
            Its tokens are known by their names and their look.
        """
        tokens = {
            name: value
            for name, value in environment.items()
            if name not in secrets and (name in _TOKEN_NAMES or value.startswith(TOKEN_PREFIX))
        }
        return redactor_of(tuple(secrets.items()), tuple(tokens.items()))

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        for invisible in (None, _COLOURS_AND_BREAKS, _TAGS_AND_BREAKS):
            text = _replaced(text, self._spans(text, invisible))
        return text

    def name_in(self, content: bytes) -> str | None:
        """Return what of the secrets a content holds, as its mark; `None` if it holds none."""
        for form, mark in self._bytes:
            if form in content:
                return mark
        if TOKEN_PREFIX.encode() in content and _TOKEN.search(content.decode("latin-1")):
            return "[token]"
        return None

    def of(self, value: T) -> T:
        """Return a value of JSON, or a dataclass of such, without secrets; the same if it has none.

        Keys of mappings are looked at as well. Texts in a list are also looked at together, since
        notebooks keep a text as a list of its lines. Numbers are looked at where a kernel sent
        them: in the fields `output`, `data`, `metadata` and `state` of events.
        """
        return self._any(value, has_numbers=False)  # type: ignore[no-any-return]

    def of_json(self, value: T) -> T:
        """Return a value of JSON without secrets, a number that is one among them."""
        return self._any(value, has_numbers=True)  # type: ignore[no-any-return]

    def _any(self, value: Any, *, has_numbers: bool) -> Any:  # noqa: PLR0911 (one for each kind)
        # Not the words of an enumeration, which are texts too.
        if type(value) is str:
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self._any(key, has_numbers=False): self._any(item, has_numbers=has_numbers)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return self._list(value, has_numbers=has_numbers)
        if isinstance(value, tuple):
            return tuple(self._any(item, has_numbers=has_numbers) for item in value)
        if has_numbers and isinstance(value, int | float) and not isinstance(value, bool):
            written = json.dumps(value)
            shown = self.text(written)
            return value if shown == written else shown
        if is_dataclass(value) and not isinstance(value, type):
            changes = {
                field.name: self._any(
                    getattr(value, field.name), has_numbers=field.name in _SENT_BY_KERNELS
                )
                for field in fields(value)
            }
            return replace(value, **changes)
        return value

    def _list(self, items: list[Any], *, has_numbers: bool) -> list[Any]:
        alone = [self._any(item, has_numbers=has_numbers) for item in items]
        if len(items) > 1 and all(type(item) is str for item in items):
            for between in ("", "\n"):
                together = between.join(alone)
                shown = self.text(together)
                if shown != together:
                    return shown.split("\n") if between else [shown]
        return alone

    def _spans(self, text: str, invisible: re.Pattern[str] | None) -> list[Span]:
        """Return where secrets are, in the text's own positions, in order and apart."""
        forms = self._forms
        if invisible is not None:
            if not invisible.search(text):
                return []
            view = _View(text, invisible)
            forms = self._unbroken
        else:
            view = _View(text, None)
        found = [
            (start, start + len(form), mark)
            for form, mark in forms
            for start in _places(view.text, form)
        ]
        if TOKEN_PREFIX in view.text:
            taken = _merged(found)
            found += [
                (match.start(), match.end(), "[token]")
                for match in _TOKEN.finditer(view.text)
                if not any(start <= match.start() < end for start, end, _ in taken)
            ]
        return [
            (view.original(start), view.original(end - 1) + 1, mark)
            for start, end, mark in _merged(found)
        ]

    def _begun(self, text: str) -> int:
        """Return from where on a text may be the beginning of a secret; its length if nowhere."""
        best = len(text)
        for form, _ in self._forms:
            start = text.find(form[0], max(0, len(text) - len(form) + 1))
            while -1 < start < best:
                # Most places end here; only then is the whole rest worth a look.
                if form.startswith(text[start : start + 16]) and form.startswith(text[start:]):
                    best = start
                start = text.find(form[0], start + 1)
        begun = _TOKEN_BEGUN.search(text)
        if begun is not None:
            best = min(best, begun.start())
        for length in range(1, len(TOKEN_PREFIX)):
            if text.endswith(TOKEN_PREFIX[:length]):
                best = min(best, len(text) - length)
        return best


class StreamRedactor:
    """Takes secrets out of a text that comes in pieces.

    What may be the beginning of one is held back until it is known.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    @property
    def is_holding(self) -> bool:
        """Whether something is held back."""
        return bool(self._held)

    def feed(self, piece: str) -> str:
        """Take a piece; return what can be told by now, which may be nothing."""
        text = self._held + piece
        cut = self._cut(text)
        self._held = text[cut:]
        return self._redactor.text(text[:cut])

    def flush(self) -> str:
        """Return what was held back: nothing more comes."""
        held, self._held = self._held, ""
        return self._redactor.text(held)

    def _cut(self, text: str) -> int:
        redactor = self._redactor
        view = _View(text, _COLOURS)
        begun = redactor._begun(view.text)  # noqa: SLF001 (the other half of one thing)
        cut = view.original(begun) if begun < len(view.text) else len(text)
        if begun == len(view.text) and view.has_open_end:
            # Half of a colour's code; a value may go on behind it.
            cut = view.end
        # A place that is found already is not torn in two: a longer value may begin within it.
        for start, end, _ in redactor._spans(text, _COLOURS):  # noqa: SLF001
            if start < cut < end:
                cut = start
        for start, end, _ in redactor._spans(text, None):  # noqa: SLF001
            if start < cut < end:
                cut = start
        is_endless = len(text) - cut > 4 * redactor._longest + 4096  # noqa: SLF001
        return len(text) if is_endless else cut


@lru_cache(maxsize=64)
def redactor_of(
    secrets: tuple[tuple[str, str], ...], tokens: tuple[tuple[str, str], ...] = ()
) -> Redactor:
    """Return the redactor of some values by name; the same again where it was made before."""
    return Redactor(dict(secrets), dict(tokens))


class _View:
    """A text without what is invisible in it, and where its characters come from."""

    def __init__(self, text: str, invisible: re.Pattern[str] | None) -> None:
        self.end = len(text)
        self.has_open_end = False
        self._starts, self._origins = [0], [0]
        if invisible is None or not (found := list(invisible.finditer(text))):
            self.text = text
            return
        parts, length, last = [], 0, 0
        for match in found:
            parts.append(text[last : match.start()])
            length += match.start() - last
            last = match.end()
            self._starts.append(length)
            self._origins.append(last)
        parts.append(text[last:])
        self.text = "".join(parts)
        final = found[-1]
        if final.end() == len(text) and not re.fullmatch(_ESCAPES, final[0]):
            self.has_open_end, self.end = True, final.start()

    def original(self, position: int) -> int:
        """Return where a character of the view stands in the text."""
        index = bisect_right(self._starts, position) - 1
        return self._origins[index] + position - self._starts[index]


def _forms(value: str) -> Iterator[str]:
    """Give the ways in which programs write a value down."""
    if len(value) < MIN_CHARACTERS:
        return
    lines = [line.strip() for line in value.splitlines()]
    whole = [value, value.strip(), *(line for line in lines if len(line) >= MIN_LINE_CHARACTERS)]
    for plain in dict.fromkeys(whole):
        if len(plain) >= MIN_CHARACTERS:
            yield from _written(plain)


def _written(plain: str) -> Iterator[str]:
    yield plain
    as_json = (json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1])
    yield from as_json
    # A text of JSON within JSON, as in a log of requests.
    yield from (json.dumps(text)[1:-1] for text in as_json)
    yield from (repr(plain)[1:-1], repr(plain + "'")[1:-2], repr(plain + "\"'")[1:-4])
    yield ascii(plain)[1:-1]
    yield from (html.escape(plain), html.escape(plain, quote=False))
    # As markupsafe, and so Jinja, has it.
    yield html.escape(plain).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    addresses = (quote(plain), quote(plain, safe=""), quote_plus(plain))
    yield from addresses
    yield from (re.sub(r"%..", lambda match: match[0].lower(), text) for text in addresses)
    content = plain.encode("utf-8", "surrogatepass")
    yield from (content.hex(), content.hex().upper())
    yield from _base64(content)


def _base64(content: bytes) -> Iterator[str]:
    """Give the digits that a content has in base64, wherever in a longer one it begins."""
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + content).decode().rstrip("=")
        # The first and the last digit are partly of the neighbours.
        first = -(-before * 8 // 6)
        last = (before + len(content)) * 8 // 6
        core = digits[first:last]
        if len(core) >= MIN_CHARACTERS:
            yield core
            yield core.replace("+", "-").replace("/", "_")


def _places(text: str, form: str) -> Iterator[int]:
    start = text.find(form)
    while start != -1:
        yield start
        start = text.find(form, start + 1)


def _merged(spans: list[Span]) -> list[Span]:
    """Return spans in order, those that overlap as one, by the name of the first."""
    merged: list[Span] = []
    for start, end, mark in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            first, former_end, former = merged[-1]
            merged[-1] = (first, max(former_end, end), former)
        else:
            merged.append((start, end, mark))
    return merged


def _replaced(text: str, spans: list[Span]) -> str:
    if not spans:
        return text
    edges = [(0, 0, ""), *spans, (len(text), len(text), "")]
    parts = []
    for (_, end, mark), (start, _, _) in pairwise(edges):
        parts += [mark, text[end:start]]
    return "".join(parts)
