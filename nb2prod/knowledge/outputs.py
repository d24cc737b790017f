"""Outputs of cells, each as the richest form that is safe; all else as a card to download.

A notebook comes from outside: nothing here trusts a type, a shape or a name in it. What can't
be understood becomes a card that says so, and never breaks the page.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from nb2prod.errors import Nb2prodError
from nb2prod.knowledge import ansi
from nb2prod.knowledge.cards import card, interactive_kind
from nb2prod.knowledge.draft import Draft
from nb2prod.knowledge.images import RASTER_TYPES, SVG_TYPE, read_picture, read_side
from nb2prod.knowledge.latex import formula_of
from nb2prod.knowledge.markdown import image_finder, math, render_markdown
from nb2prod.knowledge.models import RenderedOutput
from nb2prod.knowledge.sanitise import Loss, Surroundings, clean, is_too_deep, loss_of
from nb2prod.knowledge.text import as_text, one_line

log = logging.getLogger(__name__)

MAX_OUTPUT_BYTES = 10_000_000
# A table of more is nothing to read; it can be downloaded.
MAX_HTML_LENGTH = 2_000_000

HTML_TYPE = "text/html"
PLAIN_TYPE = "text/plain"


def render_outputs(outputs: object, number: int, draft: Draft) -> tuple[RenderedOutput, ...]:
    """Render the outputs of a cell, whatever they are.

    Parameters
    ----------
    outputs
        The cell's ``outputs`` as the notebook has them.
    number
        The cell's number; names its downloads.
    """
    if outputs is None:
        return ()
    listed = outputs if isinstance(outputs, list) else [outputs]
    rendered: list[RenderedOutput] = []
    for place, output in enumerate(_join_streams(listed), start=1):
        rendered.extend(_render_guarded(output, f"output-{number}-{place}", draft))
    return tuple(rendered)


def _join_streams(outputs: list[Any]) -> Iterator[Any]:
    """Join neighbouring pieces of one stream: a progress bar overwrites what came before."""
    pending: dict[str, Any] | None = None
    for output in outputs:
        text = as_text(output.get("text")) if _is_stream(output) else None
        if pending is not None and text is not None and output.get("name") == pending["name"]:
            pending["text"].append(text)
            continue
        if pending is not None:
            yield pending
        pending = None
        if text is None:
            yield output
        else:
            pending = {"output_type": "stream", "name": output.get("name"), "text": [text]}
    if pending is not None:
        yield pending


def _is_stream(output: object) -> bool:
    return isinstance(output, dict) and output.get("output_type") == "stream"


def _render_guarded(output: Any, name: str, draft: Draft) -> Iterable[RenderedOutput]:
    try:
        size = len(json.dumps(output, ensure_ascii=False))
        if size > MAX_OUTPUT_BYTES:
            return (card("A very large output, not shown here", output, name, draft),)
        return tuple(_render(output, name, draft))
    except Nb2prodError:
        raise
    except Exception:
        # One output's oddity must not cost the reader the page.
        log.exception("Output not rendered, run=%s output=%s", draft.record.id, name)
        return (card("An output that could not be rendered", output, name, draft),)


def _render(output: Any, name: str, draft: Draft) -> Iterable[RenderedOutput]:
    kind = output.get("output_type") if isinstance(output, dict) else None
    if kind == "stream":
        return _stream(output, name, draft)
    if kind == "error":
        return _error(output, name, draft)
    if kind in ("display_data", "execute_result"):
        data, metadata = output.get("data"), output.get("metadata")
        if isinstance(data, dict):
            known = {key: value for key, value in data.items() if isinstance(key, str)}
            return _Bundle(known, metadata, name, draft).render()
    return (card("A malformed output", output, name, draft),)


def _stream(output: Mapping[str, Any], name: str, draft: Draft) -> Iterable[RenderedOutput]:
    text = as_text(output.get("text"))
    if text is None:
        return (card("A malformed output: a stream without text", dict(output), name, draft),)
    stream = "stderr" if output.get("name") == "stderr" else "stdout"
    return _text(text, stream, name, draft)


def _text(text: str, css_class: str, name: str, draft: Draft) -> Iterable[RenderedOutput]:
    text = text.removesuffix("\n")
    if text:
        yield _html(f'<pre class="text {css_class}">{ansi.to_html(text)}</pre>')
    if ansi.is_shortened(text):
        yield card("The whole text", {PLAIN_TYPE: text}, name, draft, media_type=PLAIN_TYPE)


def _error(output: Mapping[str, Any], name: str, draft: Draft) -> Iterable[RenderedOutput]:
    lines = output.get("traceback")
    traceback = (
        as_text([line if line.endswith("\n") else f"{line}\n" for line in lines])
        if isinstance(lines, list) and all(isinstance(line, str) for line in lines)
        else None
    )
    text = traceback or error_line(output)
    if not text:
        return (card("A malformed output: an error without a name", dict(output), name, draft),)
    return _text(text, "traceback", name, draft)


def error_line(output: Mapping[str, Any]) -> str:
    """Return an error output's name and message as one text; empty where it has none."""
    name, value = as_text(output.get("ename")), as_text(output.get("evalue"))
    return ": ".join(ansi.to_plain(part) for part in (name, value) if part)


def _html(markup: str) -> RenderedOutput:
    return RenderedOutput(kind="html", html=markup, size_bytes=len(markup.encode()))


class _Bundle:
    """A MIME bundle: one output in several forms, of which the reader gets the best safe one."""

    def __init__(self, data: dict[str, Any], metadata: object, name: str, draft: Draft) -> None:
        self.data = data
        self.metadata = metadata if isinstance(metadata, dict) else {}
        self.name = name
        self.draft = draft

    def render(self) -> Iterator[RenderedOutput]:
        """Give what is shown, and a card for what is worth having and can't be shown."""
        if not self.data:
            yield card("An empty output", self.data, self.name, self.draft)
            return
        markup = as_text(self.data.get(HTML_TYPE))
        loss = self._loss(markup)
        interactive = next(filter(interactive_kind, self.data), None)
        if markup is not None and loss is not Loss.NOTHING:
            kind = (interactive and interactive_kind(interactive)) or self._html_kind(markup, loss)
            yield self._card(
                f"Interactive output: {kind}" if loss is Loss.BEHAVIOUR else kind, HTML_TYPE
            )
        elif interactive is not None:
            label = f"Interactive output: {interactive_kind(interactive)}"
            yield self._card(label, interactive)
        shown = self._best(without_html=loss is Loss.BEHAVIOUR)
        if shown is not None:
            shown_type, outputs = shown
            yield from outputs
        has_card = interactive is not None or loss is not Loss.NOTHING
        if not has_card and (shown is None or shown_type == PLAIN_TYPE):
            yield from self._unknown(is_only=shown is None)

    def _loss(self, markup: str | None) -> Loss:
        if markup is None:
            return Loss.NOTHING
        if len(markup) > MAX_HTML_LENGTH or is_too_deep(markup):
            return Loss.BEHAVIOUR
        return loss_of(markup)

    def _html_kind(self, markup: str, loss: Loss) -> str:
        if loss is Loss.STYLE:
            return "The same with the author's colours and styles"
        return "a very large HTML document" if len(markup) > MAX_HTML_LENGTH else "HTML"

    def _best(self, *, without_html: bool) -> tuple[str, tuple[RenderedOutput, ...]] | None:
        for media_type, reader in _READERS:
            if media_type not in self.data or (without_html and media_type == HTML_TYPE):
                continue
            outputs = tuple(reader(self, media_type))
            if outputs:
                return media_type, outputs
        return None

    def _unknown(self, *, is_only: bool) -> Iterator[RenderedOutput]:
        known = {media_type for media_type, _ in _READERS}
        unknown = [media_type for media_type in self.data if media_type not in known]
        for media_type in unknown[:1]:
            yield self._card(f"Output of type {one_line(media_type, 80)}", media_type)
        if is_only and not unknown:
            media_type = next(iter(self.data))
            yield self._card(f"An output that can't be read as {media_type}", media_type)

    def _card(self, label: str, media_type: str) -> RenderedOutput:
        content = {media_type: self.data[media_type]}
        return card(label, content, self.name, self.draft, media_type=media_type)

    def html(self, media_type: str) -> Iterator[RenderedOutput]:
        markup = as_text(self.data[media_type])
        if markup is not None:
            cleaned, _ = clean(markup, Surroundings(find_image=image_finder(self.draft)))
            if cleaned.strip():
                yield _html(f'<div class="rich">{cleaned}</div>')

    def picture(self, media_type: str) -> Iterator[RenderedOutput]:
        picture = read_picture(media_type, self.data[media_type])
        if picture is not None:
            blob = self.draft.keep_picture(picture, self.name)
            own = self.metadata.get(media_type)
            said = own if isinstance(own, dict) else self.metadata
            yield RenderedOutput(
                kind="image",
                sha256=blob.sha256,
                media_type=blob.media_type,
                label=self._alternative(said),
                width=read_side(said.get("width")),
                height=read_side(said.get("height")),
                size_bytes=blob.size_bytes,
            )

    def _alternative(self, metadata: Mapping[str, Any]) -> str:
        alt = metadata.get("alt") or self.metadata.get("alt")
        plain = as_text(self.data.get(PLAIN_TYPE))
        if isinstance(alt, str) and alt.strip():
            return one_line(alt, 500)
        # ``<Figure size 640x480 with 1 Axes>`` helps nobody.
        return one_line(plain, 500) if plain and not plain.lstrip().startswith("<") else ""

    def latex(self, media_type: str) -> Iterator[RenderedOutput]:
        text = as_text(self.data[media_type])
        formula = formula_of(text) if text is not None else None
        if formula is not None:
            yield _html(f'<p class="formula">{math(formula, is_display=True)}</p>')

    def latex_source(self, media_type: str) -> Iterator[RenderedOutput]:
        text = as_text(self.data[media_type])
        if text is not None:
            yield from _text(text, "latex", self.name, self.draft)

    def markdown(self, media_type: str) -> Iterator[RenderedOutput]:
        text = as_text(self.data[media_type])
        if text is not None and text.strip():
            yield _html(f'<div class="prose">{render_markdown(text, self.draft).html}</div>')

    def json(self, media_type: str) -> Iterator[RenderedOutput]:
        text = json.dumps(self.data[media_type], indent=2, ensure_ascii=False)
        yield from _text(as_text(text) or "", "json", self.name, self.draft)

    def plain(self, media_type: str) -> Iterator[RenderedOutput]:
        text = as_text(self.data[media_type])
        if text is not None:
            yield from _text(text, "plain", self.name, self.draft)


# The richest first.
_READERS: tuple[tuple[str, Callable[[_Bundle, str], Iterator[RenderedOutput]]], ...] = (
    (HTML_TYPE, _Bundle.html),
    ("text/latex", _Bundle.latex),
    (SVG_TYPE, _Bundle.picture),
    *((media_type, _Bundle.picture) for media_type in RASTER_TYPES),
    ("text/markdown", _Bundle.markdown),
    ("application/json", _Bundle.json),
    (PLAIN_TYPE, _Bundle.plain),
    ("text/latex", _Bundle.latex_source),
)
