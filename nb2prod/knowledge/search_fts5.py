"""Full-text search by SQLite's FTS5, whose tokenizer and ranking are the model of the other one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    delete,
    func,
    insert,
    literal_column,
    select,
)

from nb2prod.knowledge.search_terms import (
    SNIPPET_WORDS,
    WEIGHTS,
    Search,
    Term,
    page_search,
    read_terms,
)
from nb2prod.knowledge.text import INSERT_CLOSE, INSERT_OPEN


class Fts5Search(Search):
    """What a person looks for, as FTS5's query."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self._clause = _clause(terms)

    def matches(self) -> ColumnElement[bool]:
        """Return the condition that a row is found."""
        return literal_column("page_search").op("MATCH")(self._clause)

    def relevance(self) -> ColumnElement[float]:
        """Return FTS5's own order, BM25; ``run_id`` is stored, not searched."""
        return func.bm25(literal_column("page_search"), 0.0, *WEIGHTS, type_=Float)

    def snippets(self, connection: Connection, run_ids: Sequence[str]) -> dict[str, str]:
        """Return, by page, the place that FTS5 shows."""
        snippet = func.snippet(
            literal_column("page_search"), -1, INSERT_OPEN, INSERT_CLOSE, "…", SNIPPET_WORDS
        )
        query = select(page_search.c.run_id, snippet).where(
            self.matches(), page_search.c.run_id.in_(run_ids)
        )
        return {row[0]: row[1] for row in connection.execute(query)}


def write(connection: Connection, run_id: str, columns: dict[str, str]) -> None:
    """Put a page's words into the index, in place of what it had."""
    connection.execute(delete(page_search).where(page_search.c.run_id == run_id))
    connection.execute(insert(page_search).values(run_id=run_id, **columns))


def match_clause(text: str) -> str | None:
    """Return FTS5's query for what a person typed; `None` where nothing can be found by it.

    >>> match_clause('lasso "mean error" jf')
    '"lasso" "mean error" "jf" *'
    >>> match_clause("a OR title:b*")
    '"a" "OR" "title:b*" *'
    >>> match_clause("--- ?") is None
    True
    """
    terms = read_terms(text)
    return _clause(terms) if terms else None


def _clause(terms: Sequence[Term]) -> str:
    clause = " ".join(f'"{term.text}"' for term in terms)
    return f"{clause} *" if terms[-1].is_open else clause
