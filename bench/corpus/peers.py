"""What nbconvert and jupytext make of the same notebook."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence

from bench.corpus.models import Peer
from bench.corpus.opinions import is_plain_python, lost_names


def peers_of(content: bytes, sources: Sequence[str]) -> dict[str, Peer]:
    """Export a notebook's bytes by each peer; one that fails has no plain Python to show."""
    return {name: _judged(export, content, sources) for name, export in _PEERS.items()}


def _judged(export: Callable[[str], str], content: bytes, sources: Sequence[str]) -> Peer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            script = export(content.decode("utf-8-sig"))
        # Another's program may fail in any way on what nobody has tried it on.
        except Exception:  # noqa: BLE001
            return Peer(is_plain=False)
    is_plain = is_plain_python(script)
    return Peer(
        is_plain=is_plain, lost=tuple(sorted(lost_names(script, sources))) if is_plain else ()
    )


def _by_nbconvert(text: str) -> str:
    import nbformat
    from nbconvert.exporters import PythonExporter

    script, _ = PythonExporter().from_notebook_node(nbformat.reads(text, as_version=4))
    return str(script)


def _by_jupytext(text: str) -> str:
    import jupytext

    document = jupytext.reads(text, fmt="ipynb")
    document.metadata.setdefault("language_info", {}).setdefault("name", "python")
    json.dumps(document)
    return str(jupytext.writes(document, fmt="py:percent"))


_PEERS: Mapping[str, Callable[[str], str]] = {
    "nbconvert": _by_nbconvert,
    "jupytext": _by_jupytext,
}
