"""An executed notebook to its page: our own allow-list renderer (docs/adr, gallery design).

Nothing of the notebook reaches a page as markup but what `sanitise` wrote itself; the rest is
escaped text, pictures that are what they say, and cards.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from nb2prod.errors import Nb2prodError
from nb2prod.execution.models import CellRecord, RunRecord, RunStatus
from nb2prod.knowledge import ansi
from nb2prod.knowledge.conclusion import find_conclusion
from nb2prod.knowledge.draft import Draft
from nb2prod.knowledge.highlight import highlight
from nb2prod.knowledge.markdown import render_markdown
from nb2prod.knowledge.models import Heading, PageDocument, RenderedCell, RenderedOutput
from nb2prod.knowledge.outputs import error_line, render_outputs
from nb2prod.knowledge.text import as_text, escape, one_line, plain
from nb2prod.notebook.languages import language_named
from nb2prod.registry.manifest import read_manifest
from nb2prod.store.blobs import BlobStore

log = logging.getLogger(__name__)

POSTER_TAG = "poster"
POSTER_TYPES = ("image/png", "image/jpeg")

MAX_TITLE_LENGTH = 200
MAX_TAG_LENGTH = 60
MAX_ERROR_LENGTH = 2_000


def render(
    executed_notebook: Mapping[str, Any], record: RunRecord, blobs: BlobStore
) -> PageDocument:
    """Render a run's page; contents that it shows or offers are stored in ``blobs``.

    Parameters
    ----------
    executed_notebook
        nbformat 4 JSON, or what claims to be it: whatever can't be read is said in its place.
    record
        Of a run that has ended, however it did.

    Raises
    ------
    StorageFull, StorageUnusable
        A content could not be stored.
    """
    draft = _draft(record, blobs)
    sources = _cells_of(executed_notebook)
    renderer = _CellRenderer(draft, _language(executed_notebook))
    cells = tuple(renderer.render(source, place) for place, source in enumerate(sources, start=1))
    conclusion = find_conclusion(
        sources, cells, draft, is_complete=record.status is RunStatus.SUCCEEDED
    )
    draft.keep_artifacts()
    main_metric, lower_is_better = _main_metric(record, blobs)
    return PageDocument(
        run_id=record.id,
        title=_title(renderer.outline, record),
        conclusion_html=conclusion.html,
        conclusion=conclusion.text,
        cells=cells,
        outline=tuple(renderer.outline),
        poster=_poster(cells),
        main_metric=main_metric,
        lower_is_better=lower_is_better,
        blobs=draft.blobs,
    )


def render_nothing(record: RunRecord, blobs: BlobStore, why: str) -> PageDocument:
    """Return the page of a run whose notebook can't be shown: the reason, and its downloads.

    Parameters
    ----------
    why
        One sentence for the reader.
    """
    draft = _draft(record, blobs)
    draft.keep_artifacts()
    main_metric, lower_is_better = _main_metric(record, blobs)
    notice = RenderedCell(number=1, kind="raw", html=f'<p class="notice">{escape(why)}</p>')
    return PageDocument(
        run_id=record.id,
        title=record.pipeline,
        conclusion_html="",
        conclusion="",
        cells=(notice,),
        outline=(),
        poster=None,
        main_metric=main_metric,
        lower_is_better=lower_is_better,
        blobs=draft.blobs,
    )


def _draft(record: RunRecord, blobs: BlobStore) -> Draft:
    version, language = f"{record.pipeline}-v{record.version}", language_named(record.language)
    notebook_type = "application/x-ipynb+json"
    draft = Draft(record, blobs)
    draft.keep_sources(
        {
            "script": (f"{version}{language.extension}", language.media_type),
            "notebook": (f"{version}.ipynb", notebook_type),
            "executed": (f"{version}-{record.id}.ipynb", notebook_type),
            "manifest": ("pipeline.toml", "application/toml"),
            "lock": ("requirements.lock", "text/plain"),
            "log": (f"{version}-{record.id}.log", "text/plain"),
        }
    )
    return draft


def _cells_of(notebook: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        return ()
    return tuple(cell if isinstance(cell, dict) else {} for cell in cells)


def _language(notebook: Mapping[str, Any]) -> str:
    metadata = _mapping(notebook.get("metadata"))
    info, spec = _mapping(metadata.get("language_info")), _mapping(metadata.get("kernelspec"))
    named = (info.get("pygments_lexer"), info.get("name"), spec.get("language"))
    return next((one_line(name, 40) for name in named if isinstance(name, str) and name), "python")


class _CellRenderer:
    """Renders the cells of one page, in their order, and gathers its outline."""

    def __init__(self, draft: Draft, language: str) -> None:
        self.outline: list[Heading] = []
        self._draft = draft
        self._language = language
        self._records = {item.number: item for item in draft.record.cells}

    def render(self, source: Mapping[str, Any], number: int) -> RenderedCell:
        record = self._records.get(number)
        kind = _kind(source)
        outputs = source.get("outputs") if kind == "code" else None
        return RenderedCell(
            number=number,
            kind=kind,
            html=self._html(kind, source, number),
            status=record.status if record else None,
            duration_s=_duration_s(record),
            peak_memory_mb=record.peak_memory_mb if record else None,
            error=_error(source, record) if kind == "code" else None,
            tags=_tags(source),
            outputs=render_outputs(outputs, number, self._draft),
        )

    def _html(self, kind: str, source: Mapping[str, Any], number: int) -> str:
        text = as_text(source.get("source")) or ""
        try:
            if kind == "code":
                return highlight(_plain_code(text), self._language)
            if kind == "markdown":
                return self._markdown(text, source.get("attachments"))
        except Nb2prodError:
            raise
        except Exception:
            # One cell's oddity must not cost the reader the page: it is shown as written.
            log.exception("Cell not rendered, run=%s cell=%s", self._draft.record.id, number)
        return f'<pre class="text">{escape(plain(text))}</pre>'

    def _markdown(self, text: str, attachments: object) -> str:
        rendered = render_markdown(text, self._draft, attachments=attachments, in_outline=True)
        self.outline.extend(rendered.headings)
        return rendered.html


def _kind(source: Mapping[str, Any]) -> Literal["code", "markdown", "raw"]:
    kind = source.get("cell_type")
    if kind == "code":
        return "code"
    return "markdown" if kind == "markdown" else "raw"


def _plain_code(text: str) -> str:
    # What only terminals act on goes; characters that turn directions stay, to be shown.
    return ansi.to_plain(text.replace("\r\n", "\n").replace("\r", "\n"))


def _duration_s(record: CellRecord | None) -> float | None:
    if record is None or record.started_at is None or record.ended_at is None:
        return None
    return (record.ended_at - record.started_at).total_seconds()


def _error(source: Mapping[str, Any], record: CellRecord | None) -> str | None:
    if record is not None and record.error:
        said = record.error
    else:
        outputs = source.get("outputs")
        errors = [
            error_line(output)
            for output in (outputs if isinstance(outputs, list) else ())
            if isinstance(output, dict) and output.get("output_type") == "error"
        ]
        said = next((error for error in errors if error), "")
    text = plain(ansi.to_plain(as_text(said) or "")).strip()
    if len(text) > MAX_ERROR_LENGTH:
        text = text[: MAX_ERROR_LENGTH - 1] + "…"
    return text or None


def _tags(source: Mapping[str, Any]) -> tuple[str, ...]:
    tags = _mapping(source.get("metadata")).get("tags")
    listed = tags if isinstance(tags, list) else ()
    return tuple(one_line(tag, MAX_TAG_LENGTH) for tag in listed if isinstance(tag, str))


def _title(outline: Sequence[Heading], record: RunRecord) -> str:
    first = next((heading.text for heading in outline if heading.level == 1), "")
    return one_line(first, MAX_TITLE_LENGTH) or record.pipeline


def _poster(cells: Sequence[RenderedCell]) -> str | None:
    tagged = [output for cell in cells if POSTER_TAG in cell.tags for output in cell.outputs]
    others = [output for cell in reversed(cells) for output in reversed(cell.outputs)]
    return next((output.sha256 for output in (*tagged, *others) if _is_poster(output)), None)


def _is_poster(output: RenderedOutput) -> bool:
    return output.kind == "image" and output.media_type in POSTER_TYPES


def _main_metric(record: RunRecord, blobs: BlobStore) -> tuple[str | None, bool | None]:
    if "manifest" in record.sources:
        try:
            manifest = read_manifest(blobs.get(record.sources["manifest"]).decode())
        except (Nb2prodError, UnicodeDecodeError):
            # The page is worth having without; which metric is the main one is a nicety.
            log.warning("Manifest unreadable, run=%s", record.id, exc_info=True)
        else:
            if manifest.main_metric is not None:
                return manifest.main_metric, manifest.lower_is_better
    return min(record.metrics, default=None), None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
