"""One notebook: read, checked, exported and taken back, with every outcome a value."""

from __future__ import annotations

import re
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

from bench.corpus.models import Examined, Outcome
from bench.corpus.opinions import ipython_fault, is_plain_python, lost_names
from bench.corpus.peers import peers_of
from nb2prod.errors import Nb2prodError, NotebookUnreadable
from nb2prod.export.models import Severity
from nb2prod.export.preflight import preflight
from nb2prod.export.script import GENERATED_TAGS, extract_assets, from_script, to_script
from nb2prod.notebook.models import Cell, Notebook
from nb2prod.notebook.parameters import find_parameters
from nb2prod.notebook.reading import parse_notebook

_QUOTED = re.compile(r"`(?P<text>[^`]*)`")
_FIRST_WORD = re.compile(r"%{0,2}[\w.]+|\S")


def examine(path: Path, root: Path, *, with_peers: bool = True) -> tuple[Examined, str]:
    """Export one notebook, and ask others about the script.

    Returns
    -------
    tuple
        What was found, and the script, empty if there is none. An error that is none of ours
        becomes `Outcome.CRASHED`.
    """
    name = str(path.relative_to(root))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _examined(path, name, with_peers=with_peers)
        # The measurement is there to find these.
        except Exception as error:  # noqa: BLE001
            trace = "".join(traceback.format_exception(error)[-6:])
            crashed = Examined(
                path=name, outcome=Outcome.CRASHED, reason=type(error).__name__, detail=trace
            )
            return crashed, ""


def _examined(path: Path, name: str, *, with_peers: bool) -> tuple[Examined, str]:
    content = path.read_bytes()
    began = time.perf_counter()
    try:
        notebook = parse_notebook(content, name=path.stem)
    except NotebookUnreadable as error:
        unreadable = Examined(
            path=name, outcome=Outcome.UNREADABLE, reason=error.code, detail=error.message
        )
        return unreadable, ""
    if notebook.language != "python":
        return Examined(path=name, outcome=Outcome.NOT_PYTHON, reason=notebook.language), ""
    findings = [item for item in preflight(notebook) if item.severity is Severity.BLOCKING]
    script, refusal = "", None
    try:
        script = exported(notebook)
    except Nb2prodError as error:
        refusal = error
    seconds = time.perf_counter() - began

    sources = [cell.source for cell in notebook.code_cells]
    reason, detail = "", ""
    if refusal is not None:
        cell = refusal.detail.get("cell")
        codes = [item.code for item in findings if item.cell == cell] or [refusal.code]
        reason, detail = codes[0], refusal.message
    examined = Examined(
        path=name,
        outcome=Outcome.REFUSED if refusal else Outcome.EXPORTED,
        reason=reason,
        detail=detail,
        blocked_by=tuple(sorted({item.code for item in findings})),
        ipython_fault=ipython_fault(sources),
        is_plain=bool(script) and is_plain_python(script),
        lost=tuple(sorted(lost_names(script, sources))) if script else (),
        round_trip_fault=round_trip_fault(notebook, script) if script else "",
        seconds=seconds,
        peers=peers_of(content, sources) if with_peers else {},
    )
    return examined, script


def exported(notebook: Notebook) -> str:
    """Return a notebook's script as a promotion writes it, its pasted pictures taken out."""
    without_assets, _ = extract_assets(notebook)
    return to_script(without_assets, find_parameters(without_assets).parameters)


def round_trip_fault(notebook: Notebook, script: str) -> str:
    """Return what is lost from notebook to script and back, and once more; or nothing."""
    before, _ = extract_assets(notebook)
    back = from_script(script, name=notebook.name)
    fault = _cells_fault(
        [cell for cell in before.cells if not GENERATED_TAGS.intersection(cell.tags)], back.cells
    )
    if fault:
        return fault
    again = to_script(back, find_parameters(back).parameters)
    if again != script:
        pairs = enumerate(zip(script.split("\n"), again.split("\n"), strict=False), start=1)
        place = next((number for number, (old, new) in pairs if old != new), 0)
        return f"the script written again differs from line {place}"
    return ""


def what_refused(examined: Examined) -> str:
    """Return what a refusal was about, in a word or two: ``%magic``, ``!``, a message."""
    quoted = _QUOTED.search(examined.detail)
    if quoted is None:
        return examined.detail.partition(": ")[2].partition(". ")[0][:60]
    word = _FIRST_WORD.match(quoted["text"].strip())
    return word[0] if word else quoted["text"][:20]


def _cells_fault(before: Sequence[Cell], after: Sequence[Cell]) -> str:
    if len(before) != len(after):
        return f"{len(before)} cells became {len(after)}"
    for old, new in zip(before, after, strict=True):
        for field in ("kind", "source", "tags"):
            if getattr(old, field) != getattr(new, field):
                return f"the {field} of cell {old.number} changed"
    return ""
