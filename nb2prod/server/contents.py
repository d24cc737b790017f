"""Stored contents as answers: what may be shown, what is only saved, and for how long."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from nb2prod.knowledge.models import PageBlob
from nb2prod.server.security import INERT_POLICY

# Formats that have no script of their own in any browser.
RASTER_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
SVG_TYPE = "image/svg+xml"
# An SVG in <img> runs no script; this is for who opens it as a document.
SVG_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"

# The address names the content, so it never changes; who else uses the computer's cache may not
# read it.
CACHE_RULE = "private, max-age=31536000, immutable"

MAX_FILE_NAME_LENGTH = 120


def blob_response(request: Request, blob: PageBlob, content: bytes) -> Response:
    """Answer with a page's content: a picture inline, anything else to be saved."""
    media_type = blob.media_type.partition(";")[0].strip().lower()
    if media_type in RASTER_TYPES:
        return _respond(request, content, blob.sha256, media_type, {})
    if media_type == SVG_TYPE:
        policy = {"Content-Security-Policy": SVG_POLICY}
        return _respond(request, content, blob.sha256, SVG_TYPE, policy)
    return attachment(request, content, sha256=blob.sha256, file_name=blob.name)


def attachment(request: Request, content: bytes, *, sha256: str, file_name: str) -> Response:
    """Answer with a content that a browser saves and never shows, whatever it says it is."""
    headers = {"Content-Disposition": disposition(file_name)}
    return _respond(request, content, sha256, "application/octet-stream", headers)


def disposition(file_name: str) -> str:
    r"""Return the ``Content-Disposition`` for a file to be saved (RFC 6266).

    >>> disposition('über "mich".csv')
    'attachment; filename="uber _mich_.csv"; filename*=UTF-8\'\'%C3%BCber%20_mich_.csv'
    """
    name = safe_file_name(file_name)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def safe_file_name(name: str) -> str:
    """Return a name that is one file in one folder on every system.

    Folders, quotes, control and direction-changing characters go; so do leading dots.
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(char for char in base if unicodedata.category(char)[0] != "C")
    clean = re.sub(r'["<>|?*:%;\']', "_", kept).strip(". ")
    if len(clean) > MAX_FILE_NAME_LENGTH:
        stem, dot, suffix = clean.rpartition(".")
        suffix = dot + suffix if stem and len(suffix) <= 10 else ""
        clean = clean[: MAX_FILE_NAME_LENGTH - len(suffix)] + suffix
    return clean or "download"


def _respond(
    request: Request, content: bytes, sha256: str, media_type: str, headers: dict[str, str]
) -> Response:
    headers = {
        "Content-Security-Policy": INERT_POLICY,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": CACHE_RULE,
        "ETag": f'"{sha256}"',
        **headers,
    }
    if f'"{sha256}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
