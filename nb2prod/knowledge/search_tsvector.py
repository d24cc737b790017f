"""Full-text search by PostgreSQL's tsvector and its GIN index, with the answers of FTS5.

PostgreSQL's own parser takes words apart by their looks (addresses, hyphens, numbers), keeps
accents, and forgets where a word stood after the 16,383rd. So texts are cut into words by
`search_words`; PostgreSQL keeps them with their weights, and finds them. Whether words stand side
by side is looked up in the column ``words``, which has all of them in order.

Ranking is PostgreSQL's ``ts_rank`` with the weights of the columns, and the page's length; unlike
BM25 it does not know how rare a word is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    String,
    Table,
    Text,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, REAL, TSQUERY, TSVECTOR, array

from nb2prod.knowledge.search_terms import (
    COLUMNS,
    SNIPPET_WORDS,
    WEIGHTS,
    Search,
    Term,
    page_search,
)
from nb2prod.knowledge.search_words import Phrase, excerpt, words_of

# PostgreSQL's own limits (its manual, 12.11), of which the second includes some bytes for each
# word and place.
LAST_PLACE = 16_383
MAX_VECTOR_BYTES = 1_000_000
# More of one word in a page tells nothing more.
MAX_PLACES = 64

_LETTERS = "ABCD"
_VECTOR = literal_column("page_search.vector", TSVECTOR)
_WORDS = literal_column("page_search.words", Text)
# From the last letter to the first; ts_rank wants none above 1.
_RANKS = tuple(weight / max(WEIGHTS) for weight in reversed(WEIGHTS))
# Divides by 1 + the logarithm of the page's length.
_BY_LENGTH = 1

_table = Table(
    "page_search",
    MetaData(),
    Column("run_id", String),
    *(Column(name, Text) for name in COLUMNS),
    Column("words", Text),
    Column("vector", TSVECTOR),
)


class TsvectorSearch(Search):
    """What a person looks for, as PostgreSQL's query."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self._phrases = tuple(
            Phrase(tuple(word.plain for word in words_of(term.text)), is_open=term.is_open)
            for term in terms
        )
        self._query = cast(" & ".join(map(_query_of, self._phrases)), TSQUERY)

    def matches(self) -> ColumnElement[bool]:
        """Return the condition that a row is found: by the index, then by the order of words."""
        side_by_side = [
            func.strpos(_WORDS, _in_order(phrase)) > 0
            for phrase in self._phrases
            if len(phrase.words) > 1
        ]
        return and_(_VECTOR.op("@@")(self._query), *side_by_side)

    def relevance(self) -> ColumnElement[float]:
        """Return the order of what is found."""
        ranks = cast(array(_RANKS), ARRAY(REAL))
        rank: ColumnElement[float] = func.ts_rank(ranks, _VECTOR, self._query, _BY_LENGTH)
        return -rank

    def snippets(self, connection: Connection, run_ids: Sequence[str]) -> dict[str, str]:
        """Return, by page, the place that has most of what is looked for."""
        query = select(page_search).where(page_search.c.run_id.in_(run_ids))
        return {
            row.run_id: excerpt(row[1:], self._phrases, length=SNIPPET_WORDS)
            for row in connection.execute(query)
        }


def write(connection: Connection, run_id: str, columns: dict[str, str]) -> None:
    """Put a page's words into the index, in place of what it had."""
    connection.execute(delete(_table).where(_table.c.run_id == run_id))
    by_column = [[word.plain for word in words_of(columns[name])] for name in COLUMNS]
    connection.execute(
        insert(_table).values(
            run_id=run_id,
            **columns,
            words="\n".join(_spaced(words) for words in by_column),
            vector=cast(literal(vector_of(by_column)), TSVECTOR),
        )
    )


def vector_of(by_column: Iterable[Sequence[str]]) -> str:
    """Return the words of a page's columns as PostgreSQL reads a tsvector.

    >>> vector_of([["seat", "demand"], [], ["seat"], []])
    "'seat':1A,3C 'demand':2A"
    """
    places: dict[str, list[str]] = {}
    place = 0
    for letter, words in zip(_LETTERS, by_column, strict=True):
        for word in words:
            place += 1
            found = places.setdefault(word, [])
            if len(found) < MAX_PLACES:
                found.append(f"{min(place, LAST_PLACE)}{letter}")
    room, parts = MAX_VECTOR_BYTES, []
    for word, found in places.items():
        room -= len(word.encode()) + 2 * len(found) + 4
        if room < 0:
            # What stands first matters most.
            break
        parts.append(f"'{word}':{','.join(found)}")
    return " ".join(parts)


def _query_of(phrase: Phrase) -> str:
    *first, last = (f"'{word}'" for word in phrase.words)
    return " & ".join([*first, f"{last}:*" if phrase.is_open else last])


def _in_order(phrase: Phrase) -> str:
    begun = f" {' '.join(phrase.words)}"
    return begun if phrase.is_open else f"{begun} "


def _spaced(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "
