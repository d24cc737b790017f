"""Pages as JSON, and what of a page is searched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from nb2prod.knowledge.models import PageDocument
from nb2prod.knowledge.text import text_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# A page's outputs are found by what a reader would remember of them, not by every number.
MAX_OUTPUT_TEXT = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchText:
    """The words of a page, by where they stand."""

    title: str
    markdown: str
    code: str
    outputs: str


def write_document(document: PageDocument) -> bytes:
    """Return a page as JSON."""
    return _documents().dump_json(document)


def read_document(content: bytes) -> PageDocument:
    """Read a page that `write_document` wrote."""
    return _documents().validate_json(content)


def search_text(document: PageDocument) -> SearchText:
    """Return what of a page is searched: the text that its reader sees."""
    markdown = (cell.html for cell in document.cells if cell.kind != "code")
    code = (cell.html for cell in document.cells if cell.kind == "code")
    return SearchText(
        title=document.title,
        markdown="\n".join(map(text_of, markdown)),
        code="\n".join(map(text_of, code)),
        outputs="\n".join(_output_texts(document))[:MAX_OUTPUT_TEXT],
    )


def _output_texts(document: PageDocument) -> Iterator[str]:
    for cell in document.cells:
        if cell.error:
            yield cell.error
        for output in cell.outputs:
            yield text_of(output.html) if output.kind == "html" else output.label


@cache
def _documents() -> TypeAdapter[PageDocument]:
    from pydantic import TypeAdapter

    return TypeAdapter(PageDocument)
