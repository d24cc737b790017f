"""A page as the reader sees it: what failed first, then metrics, parameters, downloads, facts."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import Any

from nb2prod.errors import Nb2prodError
from nb2prod.execution.models import CellRecord, CellStatus, FileAccess, FileUse, RunRecord
from nb2prod.export.notebook_script import script_name
from nb2prod.knowledge.models import (
    Heading,
    MetricChange,
    PageDocument,
    PageView,
    RenderedCell,
    RenderedOutput,
)
from nb2prod.knowledge.text import text_of
from nb2prod.registry.manifest import read_manifest
from nb2prod.server.presentation import Look, look_of
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

TILES_SHOWN = 5
FIRST_HEADING = re.compile(r'\s*<h1 id="(?P<anchor>[^"]*)">(?:(?!</h1>).)*</h1>', re.DOTALL)
# How the renderer (knowledge/outputs.py, markdown.py) marks a traceback and a formula.
TRACEBACK_MARK = 'class="text traceback"'
MATH_MARK = 'class="math"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """A content of the version or the run that can be saved.

    ``name`` is its name among the record's sources.
    """

    name: str
    label: str
    file_name: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownParameter:
    """A parameter with its value; ``is_default`` is `None` where the default is not known."""

    name: str
    value: Any
    is_default: bool | None


@dataclass(frozen=True, kw_only=True)
class PageShown:
    """What the page's template shows."""

    page: PageView
    look: Look
    cells: tuple[RenderedCell, ...]
    outline: tuple[Heading, ...]
    failed_cell: CellRecord | None
    parameters: tuple[ShownParameter, ...]
    downloads: tuple[Download, ...]
    files_read: tuple[FileUse, ...]
    files_written: tuple[FileUse, ...]
    poster: RenderedOutput | None
    stored: frozenset[str]
    has_math: bool
    may_run: bool

    @property
    def record(self) -> RunRecord:
        """The run's record."""
        return self.page.record

    @property
    def explained_cells(self) -> frozenset[int]:
        """Numbers of the cells whose error stands in their output already."""
        return frozenset(
            cell.number
            for cell in self.cells
            if any(TRACEBACK_MARK in output.html for output in cell.outputs)
        )

    @property
    def tiles(self) -> tuple[MetricChange, ...]:
        """The metrics above the fold; the main one first."""
        main = self.page.document.main_metric
        return tuple(sorted(self.page.metrics, key=lambda item: item.name != main)[:TILES_SHOWN])

    @property
    def changed_files(self) -> tuple[FileUse, ...]:
        """Files that were read and that another hand changed while the run went on."""
        return tuple(file for file in self.files_read if file.is_changed)


def compose(page: PageView, workspace: Workspace, *, may_run: bool = False) -> PageShown:
    """Make the view of a page.

    Parameters
    ----------
    may_run
        Whether the reader may have the version run again, here.
    """
    record = page.record
    cells, outline = _without_title(page.document)
    return PageShown(
        page=page,
        look=look_of(record.status),
        cells=cells,
        outline=outline,
        failed_cell=_failed_cell(record),
        parameters=shown_parameters(record, workspace),
        downloads=downloads(record),
        files_read=_files(record, FileAccess.READ),
        files_written=_files(record, FileAccess.WRITTEN),
        poster=_poster(page),
        stored=frozenset(blob.sha256 for blob in page.document.blobs),
        has_math=_has_math(page),
        may_run=may_run,
    )


def downloads(record: RunRecord) -> tuple[Download, ...]:
    """Return what can be saved of a run and of the version that ran, the usual first."""
    version = f"{record.pipeline}-v{record.version}"
    offered = (
        ("script", "Script", script_name(version, record.language)),
        ("notebook", "Notebook", f"{version}.ipynb"),
        ("executed", "Executed notebook", f"{version}-{record.id}.ipynb"),
        ("lock", "Environment lock", f"{version}-requirements.txt"),
        ("manifest", "Manifest", f"{version}-pipeline.toml"),
        ("log", "Log", f"{version}-{record.id}.log"),
    )
    return tuple(
        Download(name=name, label=label, file_name=file_name, sha256=record.sources[name])
        for name, label, file_name in offered
        if name in record.sources
    )


def attempt_log(record: RunRecord, number: int) -> Download | None:
    """Return what an attempt that was tried again had printed; `None` where there was none."""
    attempt = next((item for item in record.attempts if item.number == number), None)
    if attempt is None:
        return None
    file_name = f"{record.pipeline}-v{record.version}-{record.id}-attempt-{number}.log"
    return Download(
        name="log", label=f"Log of attempt {number}", file_name=file_name, sha256=attempt.log_sha256
    )


def _without_title(
    document: PageDocument,
) -> tuple[tuple[RenderedCell, ...], tuple[Heading, ...]]:
    """Leave out the heading that a notebook begins with where it is the page's title.

    The title stands above everything already; twice on one screen is once too much.
    """
    cells, outline = document.cells, document.outline
    match = FIRST_HEADING.match(cells[0].html) if cells and cells[0].kind == "markdown" else None
    if match is None or text_of(match[0]) != document.title:
        return cells, outline
    rest = cells[0].html[match.end() :].strip()
    first = (replace(cells[0], html=rest),) if rest or cells[0].outputs else ()
    return (*first, *cells[1:]), tuple(item for item in outline if item.anchor != match["anchor"])


def _failed_cell(record: RunRecord) -> CellRecord | None:
    fine = (CellStatus.SUCCEEDED, CellStatus.NOT_RUN)
    return next((cell for cell in record.cells if cell.status not in fine), None)


def shown_parameters(record: RunRecord, workspace: Workspace) -> tuple[ShownParameter, ...]:
    """Return a run's parameters, and which of them have their defaults."""
    defaults = _defaults(record, workspace)
    return tuple(
        ShownParameter(
            name=name,
            value=value,
            is_default=value == defaults[name] if name in defaults else None,
        )
        for name, value in record.parameters.items()
    )


def _defaults(record: RunRecord, workspace: Workspace) -> dict[str, Any]:
    if "manifest" not in record.sources:
        return {}
    try:
        text = workspace.blobs.get(record.sources["manifest"]).decode()
        manifest = read_manifest(text)
    except (Nb2prodError, UnicodeDecodeError) as error:
        # The page is worth showing without; which value is a default is a nicety.
        log.warning("Manifest unreadable, run=%s error=%s", record.id, error)
        return {}
    return {item.name: item.default for item in manifest.parameters}


def _files(record: RunRecord, access: FileAccess) -> tuple[FileUse, ...]:
    return tuple(file for file in record.files if file.access is access)


def _poster(page: PageView) -> RenderedOutput | None:
    if page.document.poster is None:
        return None
    outputs = (output for cell in page.document.cells for output in cell.outputs)
    return next((item for item in outputs if item.sha256 == page.document.poster), None)


def _has_math(page: PageView) -> bool:
    texts = [page.document.conclusion_html]
    for cell in page.document.cells:
        texts += [cell.html, *(output.html for output in cell.outputs)]
    return any(MATH_MARK in text for text in texts)
