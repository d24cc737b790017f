"""Pictures of a notebook: checked to be what they say, before anything shows them."""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass

from nb2prod.knowledge.text import as_text

SVG_TYPE = "image/svg+xml"
RASTER_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    SVG_TYPE: ".svg",
}

MAX_SIDE_PX = 10_000

_SVG_START = re.compile(
    r"\s*(<\?xml\s[^>]*\?>\s*|<!--.*?-->\s*|<!DOCTYPE svg[^>\[]*>\s*)*<svg[\s>]", re.DOTALL
)
_DATA_URL = re.compile(r"data:(image/[a-z+]+);base64,", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's content with the media type that it really has."""

    content: bytes
    media_type: str


def read_picture(media_type: str, value: object) -> Picture | None:
    """Return the picture of a MIME bundle; `None` where it is none that we show.

    Raster formats are told by their first bytes, whatever the notebook says. An SVG is never
    more than the source of an ``<img>``, where it runs no script and fetches nothing.
    """
    text = as_text(value)
    if text is None:
        return None
    if media_type == SVG_TYPE:
        return Picture(text.encode(), SVG_TYPE) if is_svg(text) else None
    return _raster(text) if media_type in RASTER_TYPES else None


def read_attachment(files: object) -> Picture | None:
    """Return the picture of an attachment (media type → base64 text)."""
    if not isinstance(files, dict):
        return None
    for media_type, value in files.items():
        text = as_text(value)
        if text is None:
            continue
        if media_type in RASTER_TYPES and (picture := _raster(text)):
            return picture
        if media_type == SVG_TYPE and (content := decode_base64(text)):
            return read_picture(SVG_TYPE, content.decode(errors="replace"))
    return None


def read_data_url(url: str) -> Picture | None:
    """Return the raster picture of a ``data:`` URL."""
    match = _DATA_URL.match(url)
    return _raster(url[match.end() :]) if match else None


def media_type_of(content: bytes) -> str | None:
    """Return the raster format of a content, told by its first bytes.

    >>> media_type_of(b"GIF89a"), media_type_of(b"<html>")
    ('image/gif', None)
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def is_svg(text: str) -> bool:
    """Tell whether a text is an SVG that may be shown, or opened by itself.

    An entity can grow without bound when it is expanded, and a browser fetches the style sheet
    of an ``<?xml-stylesheet?>`` whatever the policy says; plotting libraries use neither.
    """
    return bool(_SVG_START.match(text)) and "<!ENTITY" not in text and "<?xml-" not in text


def decode_base64(text: str) -> bytes | None:
    """Return the bytes of a base64 text with or without line breaks; `None` if it is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def read_side(value: object) -> int | None:
    """Return a width or height in pixels, 1 to 10 000; `None` for whatever else is there.

    >>> read_side("640"), read_side(480.0), read_side('1" onload="x'), read_side(0)
    (640, 480, None, None)
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 1 <= value <= MAX_SIDE_PX else None


def _raster(text: str) -> Picture | None:
    content = decode_base64(text)
    media_type = media_type_of(content) if content else None
    return Picture(content, media_type) if content and media_type else None
