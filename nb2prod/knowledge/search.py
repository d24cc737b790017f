"""Full-text search over pages: ``page_search``, of SQLite's FTS5 or with PostgreSQL's tsvector.

Only this module and its parts touch that table. Its columns are weighed by `WEIGHTS`; words are
found whatever their accents and case, and ``snake_case`` names are one word.
"""

from __future__ import annotations

import html
from collections.abc import Callable

from sqlalchemy import Connection, delete

from nb2prod.knowledge import search_fts5, search_tsvector
from nb2prod.knowledge.documents import SearchText
from nb2prod.knowledge.search_terms import (
    WEIGHTS,
    Search,
    Term,
    columns_of,
    page_search,
    read_terms,
)
from nb2prod.knowledge.text import INSERT_CLOSE, INSERT_OPEN
from nb2prod.store.database import Database

__all__ = ["WEIGHTS", "Search", "index", "page_search", "remove", "search_for", "snippets"]

_SEARCHES: dict[str, Callable[[tuple[Term, ...]], Search]] = {
    "sqlite": search_fts5.Fts5Search,
    "postgresql": search_tsvector.TsvectorSearch,
}
_WRITERS = {"sqlite": search_fts5.write, "postgresql": search_tsvector.write}


def search_for(database: Database, text: str) -> Search | None:
    """Return what a person looks for; `None` where nothing can be found by it.

    See `search_terms.read_terms` for what words and quotes mean.
    """
    terms = read_terms(text)
    return _SEARCHES[database.engine.dialect.name](terms) if terms else None


def index(connection: Connection, run_id: str, text: SearchText) -> None:
    """Put a page's words into the index, in place of what it had."""
    _WRITERS[connection.dialect.name](connection, run_id, columns_of(text))


def remove(connection: Connection, run_id: str) -> None:
    """Take a page's words out of the index."""
    connection.execute(delete(page_search).where(page_search.c.run_id == run_id))


def snippets(connection: Connection, search: Search, run_ids: tuple[str, ...]) -> dict[str, str]:
    """Return, by page, the place that was found: clean markup with ``<mark>``."""
    return {run_id: _mark(text) for run_id, text in search.snippets(connection, run_ids).items()}


def _mark(snippet: str) -> str:
    escaped = html.escape(" ".join(snippet.split()))
    return escaped.replace(INSERT_OPEN, "<mark>").replace(INSERT_CLOSE, "</mark>")
