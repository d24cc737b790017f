"""Cards: what stands for an output that is not shown, with its content for download."""

from __future__ import annotations

import json
import re
from typing import Any

from nb2prod.knowledge.draft import FILE_TYPE, Draft
from nb2prod.knowledge.images import decode_base64
from nb2prod.knowledge.models import RenderedOutput
from nb2prod.knowledge.text import as_text

_EXTENSIONS = {
    "text/html": ".html",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "text/latex": ".tex",
    "text/vnd.mermaid": ".mmd",
    "application/javascript": ".js",
    "application/pdf": ".pdf",
    "image/svg+xml": ".svg",
}
_INTERACTIVE = (
    (re.compile(r"application/vnd\.plotly\."), "Plotly chart"),
    (re.compile(r"application/vnd\.vega(lite)?\."), "Vega chart"),
    (re.compile(r"application/vnd\.(bokehjs|holoviews)_(exec|load)\."), "Bokeh plot"),
    (re.compile(r"application/vnd\.jupyter\.widget-(view|state)\+json"), "Jupyter widget"),
    (re.compile(r"(application|text)/(javascript|ecmascript)"), "JavaScript"),
    (re.compile(r"text/vnd\.mermaid"), "Mermaid diagram"),
    (re.compile(r"application/geo\+json"), "map"),
)
_BINARY = re.compile(r"(image|audio|video)/(?!svg)|application/(pdf|octet-stream|zip)")


def interactive_kind(media_type: str) -> str | None:
    """Return what an output that needs a program of its own is called; else `None`.

    >>> interactive_kind("application/vnd.plotly.v1+json")
    'Plotly chart'
    """
    return next((kind for pattern, kind in _INTERACTIVE if pattern.match(media_type)), None)


def card(
    label: str, content: Any, name: str, draft: Draft, *, media_type: str | None = None
) -> RenderedOutput:
    """Make a card and keep what it stands for.

    Parameters
    ----------
    content
        The whole output; or, where ``media_type`` is given, that entry of its MIME bundle.
    name
        Of the download, without an extension.
    """
    kind, data = "application/json", content
    if media_type is not None:
        kind, data = media_type, content[media_type]
    stored, extension = _encode(kind, data)
    # A picture that is not shown is none, and must not be shown when it is opened either.
    shown_type = FILE_TYPE if kind.strip().lower().startswith("image/") else kind
    blob = draft.keep(stored, shown_type, name + extension)
    return RenderedOutput(
        kind="card",
        label=label,
        sha256=blob.sha256,
        media_type=blob.media_type,
        size_bytes=blob.size_bytes,
    )


def _encode(media_type: str, data: Any) -> tuple[bytes, str]:
    text = as_text(data)
    if text is None or media_type == "application/json" or media_type.endswith("+json"):
        # As ASCII, since a lone surrogate is legal in JSON only as an escape.
        return json.dumps(data, indent=1).encode(), ".json"
    if _BINARY.match(media_type) and (decoded := decode_base64(text)):
        return decoded, _EXTENSIONS.get(media_type, ".bin")
    return text.encode(), _EXTENSIONS.get(media_type, ".txt")
