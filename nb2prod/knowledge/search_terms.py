"""What a person typed into the search, as terms; and what the index holds, column by column."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, MetaData, String, Table

from nb2prod.knowledge.documents import SearchText
from nb2prod.knowledge.text import repair

MAX_WORDS = 32
SNIPPET_WORDS = 24
COLUMNS = ("title", "markdown", "code", "outputs")
WEIGHTS = (10.0, 4.0, 1.0, 0.5)

# Apart from the schema's metadata: SQLAlchemy can't make FTS5's table, and must not try.
page_search = Table(
    "page_search",
    MetaData(),
    Column("run_id", String),
    *(Column(name, String) for name in COLUMNS),
)

_TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True, slots=True)
class Term:
    """A word, or several that have to stand side by side.

    Parameters
    ----------
    is_open
        Whether it may be the beginning of a longer word.
    """

    text: str
    is_open: bool = False


class Search(ABC):
    """What a person looks for, as conditions on ``page_search`` in one kind of database."""

    @abstractmethod
    def matches(self) -> ColumnElement[bool]:
        """Return the condition that a row is found."""

    @abstractmethod
    def relevance(self) -> ColumnElement[float]:
        """Return the order of what is found: less is better."""

    @abstractmethod
    def snippets(self, connection: Connection, run_ids: Sequence[str]) -> dict[str, str]:
        """Return, by page, the place that was found, as text with the marks of `knowledge.text`."""


def read_terms(text: str) -> tuple[Term, ...]:
    """Return the terms of what a person typed; none where nothing can be found by it.

    All have to be there; the last one may be the beginning of a word, since it may be still being
    typed. Words in quotes have to stand side by side. Nothing else has a meaning: what a database
    would take for an operator is a word like any other.

    >>> [term.text for term in read_terms('lasso "mean error" OR')]
    ['lasso', 'mean error', 'OR']
    >>> read_terms("--- ?")
    ()
    """
    terms = [
        (phrase or word, bool(word))
        for phrase, word in _TERM.findall(repair(text).replace("\x1b", " "))
        if any(char.isalnum() or char == "_" for char in phrase or word)
    ][:MAX_WORDS]
    if not terms:
        return ()
    *first, (last, is_word) = terms
    is_open = is_word and not text.endswith((" ", '"'))
    return (*(Term(term) for term, _ in first), Term(last, is_open=is_open))


def columns_of(text: SearchText) -> dict[str, str]:
    """Return a page's words by column."""
    # The marks of a snippet are of characters that `repair` takes from the text.
    return {name: repair(getattr(text, name)) for name in COLUMNS}
