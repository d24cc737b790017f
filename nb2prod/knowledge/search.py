"""Full-text search over pages: SQLite's FTS5 table ``page_search``.

The only module that touches that table. Its columns are weighed by `WEIGHTS`; words are found
whatever their accents and case, and ``snake_case`` names are one word.
"""

from __future__ import annotations

import html
import re

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    literal_column,
    select,
)

from nb2prod.knowledge.documents import SearchText
from nb2prod.knowledge.text import INSERT_CLOSE, INSERT_OPEN, repair

MAX_WORDS = 32
SNIPPET_WORDS = 24
# run_id is stored, not searched; then title, markdown, code, outputs.
WEIGHTS = (0.0, 10.0, 4.0, 1.0, 0.5)

# Apart from the schema's metadata: SQLAlchemy can't make such a table, and must not try.
page_search = Table(
    "page_search",
    MetaData(),
    Column("run_id", String),
    Column("title", String),
    Column("markdown", String),
    Column("code", String),
    Column("outputs", String),
)

_TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')


def index(connection: Connection, run_id: str, text: SearchText) -> None:
    """Put a page's words into the index, in place of what it had."""
    remove(connection, run_id)
    # The marks of a snippet are of these characters; `repair` takes them from the text.
    connection.execute(
        insert(page_search).values(
            run_id=run_id,
            title=repair(text.title),
            markdown=repair(text.markdown),
            code=repair(text.code),
            outputs=repair(text.outputs),
        )
    )


def remove(connection: Connection, run_id: str) -> None:
    """Take a page's words out of the index."""
    connection.execute(delete(page_search).where(page_search.c.run_id == run_id))


def match_clause(text: str) -> str | None:
    """Return FTS5's query for what a person typed; `None` where nothing can be found by it.

    All words have to be there; the last one may be the beginning of a word, since it may be
    still being typed. Words in quotes have to stand side by side. Nothing else has a meaning:
    what FTS5 would take for an operator is a word like any other.

    >>> match_clause('lasso "mean error" jf')
    '"lasso" "mean error" "jf" *'
    >>> match_clause("a OR title:b*")
    '"a" "OR" "title:b*" *'
    >>> match_clause("--- ?") is None
    True
    """
    terms = [
        (phrase or word, bool(word))
        for phrase, word in _TERM.findall(repair(text).replace("\x1b", " "))
        if any(char.isalnum() or char == "_" for char in phrase or word)
    ][:MAX_WORDS]
    if not terms:
        return None
    clause = " ".join(f'"{term}"' for term, _ in terms)
    is_open = terms[-1][1] and not text.endswith((" ", '"'))
    return f"{clause} *" if is_open else clause


def matches(clause: str) -> ColumnElement[bool]:
    """Return the condition that a row of ``page_search`` is found."""
    return literal_column("page_search").op("MATCH")(clause)


def relevance() -> ColumnElement[float]:
    """Return the order of what is found: less is better."""
    return func.bm25(literal_column("page_search"), *WEIGHTS, type_=Float)


def snippets(connection: Connection, clause: str, run_ids: tuple[str, ...]) -> dict[str, str]:
    """Return, by page, the place that was found: clean markup with ``<mark>``."""
    snippet = func.snippet(
        literal_column("page_search"), -1, INSERT_OPEN, INSERT_CLOSE, "…", SNIPPET_WORDS
    )
    query = select(page_search.c.run_id, snippet).where(
        matches(clause), page_search.c.run_id.in_(run_ids)
    )
    return {row[0]: _mark(row[1]) for row in connection.execute(query)}


def _mark(snippet: str) -> str:
    escaped = html.escape(" ".join(snippet.split()))
    return escaped.replace(INSERT_OPEN, "<mark>").replace(INSERT_CLOSE, "</mark>")
