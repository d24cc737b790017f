"""Words as a search finds them, and the place of a text that shows them. Pure functions.

Words are cut and folded as FTS5's tokenizer ``unicode61`` does with ``remove_diacritics 2`` and
``tokenchars '_'`` (sqlite.org/fts5.html, 4.3.1): letters, digits and ``_`` are of a word, and
neither case nor accents count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nb2prod.knowledge.text import INSERT_CLOSE, INSERT_OPEN

# Of a longer word, such as a line of base64, the beginning is looked for.
MAX_WORD = 200

# Unicode's blocks of combining marks for letters.
_ACCENTS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_WORD = re.compile(rf"\w[\w{_ACCENTS}]*")
_ACCENT = re.compile(f"[{_ACCENTS}]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, folded, and where it stands."""

    plain: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Phrase:
    """Folded words that stand side by side.

    Parameters
    ----------
    is_open
        Whether the last may be the beginning of a longer word.
    """

    words: tuple[str, ...]
    is_open: bool = False

    def is_at(self, place: int, words: Sequence[Word]) -> bool:
        """Tell whether it begins at a place of a text."""
        here = [word.plain for word in words[place : place + len(self.words)]]
        if self.is_open and len(here) == len(self.words) and here[-1].startswith(self.words[-1]):
            return tuple(here[:-1]) == self.words[:-1]
        return tuple(here) == self.words


def fold(word: str) -> str:
    """Return a word without its case and accents.

    >>> fold("Müßiggang"), fold("É"), fold("train_loss")
    ('mussiggang', 'e', 'train_loss')
    """
    if word.isascii():
        return word.lower()[:MAX_WORD]
    bare = _ACCENT.sub("", unicodedata.normalize("NFD", word.casefold()))
    return unicodedata.normalize("NFC", bare)[:MAX_WORD]


def words_of(text: str) -> Iterator[Word]:
    """Give the words of a text.

    >>> [word.plain for word in words_of("Val_mape: 4.1 (Été)")]
    ['val_mape', '4', '1', 'ete']
    """
    for match in _WORD.finditer(text):
        yield Word(fold(match[0]), match.start(), match.end())


def excerpt(texts: Sequence[str], phrases: Sequence[Phrase], *, length: int) -> str:
    """Return the part of one of the texts that has most of the phrases, with marks around them.

    Parameters
    ----------
    length
        How many words are shown; ``…`` stands for those left out.

    Returns
    -------
    The empty text where nothing is found.
    """
    best, shown = (0, 0), ""
    for text in texts:
        words = list(words_of(text))
        marks = _marks(words, phrases)
        score, begin = _best(marks, words, length)
        if score > best:
            best, shown = score, _show(text, words, marks, begin, length)
    return shown


# A phrase's number, its first word, and the one after its last.
_Mark = tuple[int, int, int]


def _marks(words: Sequence[Word], phrases: Sequence[Phrase]) -> list[_Mark]:
    marks = []
    for number, phrase in enumerate(phrases):
        first = phrase.words[0]
        is_beginning = phrase.is_open and len(phrase.words) == 1
        for place, word in enumerate(words):
            if (word.plain == first or (is_beginning and word.plain.startswith(first))) and (
                phrase.is_at(place, words)
            ):
                marks.append((number, place, place + len(phrase.words)))
    return sorted(marks, key=lambda mark: mark[1:])


def _best(
    marks: Sequence[_Mark], words: Sequence[Word], length: int
) -> tuple[tuple[int, int], int]:
    """Return the score of the best part that begins with a mark, and where it begins."""
    best, begin = (0, 0), 0
    for index, (_, first, _) in enumerate(marks):
        within = []
        for mark in marks[index : index + length]:
            if mark[1] >= first + length:
                break
            within.append(mark)
        score = (len({number for number, _, _ in within}), len(within))
        if score > best:
            # In its middle is what was found.
            rest = length - (within[-1][2] - first)
            best, begin = score, max(0, min(first - max(rest, 0) // 2, len(words) - length))
    return best, begin


def _show(text: str, words: Sequence[Word], marks: Sequence[_Mark], begin: int, length: int) -> str:
    end = min(begin + length, len(words))
    start = words[begin].start if begin else 0
    stop = words[end - 1].end if end < len(words) else len(text)
    parts, last = ["…" if begin else ""], start
    for first, after in _joined(marks):
        if first >= end or after <= begin:
            continue
        opened, closed = words[max(first, begin)].start, words[min(after, end) - 1].end
        parts += [text[last:opened], INSERT_OPEN, text[opened:closed], INSERT_CLOSE]
        last = closed
    return "".join((*parts, text[last:stop], "…" if end < len(words) else ""))


def _joined(marks: Sequence[_Mark]) -> list[tuple[int, int]]:
    """Return marks as first words and those after the last, those that overlap as one."""
    joined: list[tuple[int, int]] = []
    for _, first, after in marks:
        if joined and first < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], after))
        else:
            joined.append((first, after))
    return joined
