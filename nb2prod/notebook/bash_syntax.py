r"""bash's source as simple commands and their words, without bash.

Enough of the shell's grammar (POSIX, "Shell Command Language" 2.2 to 2.10) to tell what a cell
assigns, and where: quotes and what they hold, comments, here-documents, and which compound command
or function a command stands in. Nothing is expanded: a word with an expansion has no value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nb2prod.notebook.bash_words import Word, WordReader
from nb2prod.notebook.plain_parameters import Unreadable

_SEPARATORS = ";&|\n"
_BLANKS = " \t"
_CLOSERS = {
    "if": "fi",
    "case": "esac",
    "for": "done",
    "while": "done",
    "until": "done",
    "select": "done",
    "{": "}",
}
# After these words another command begins.
_PREFIXES = frozenset(
    {"if", "then", "elif", "else", "while", "until", "do", "!", "time", "{", "coproc"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A simple command: its words, and what it stands in.

    Parameters
    ----------
    is_nested
        Whether it stands in a compound command, a pipe or a subshell, or beside ``&&`` or ``||``.
    is_in_function
        Whether it stands in a function's body.
    """

    words: tuple[Word, ...]
    comment: str = ""
    is_nested: bool = False
    is_in_function: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A source's commands, and its lines (from 1) that are nothing but a comment."""

    commands: tuple[Command, ...]
    comment_lines: frozenset[int]


def read_bash(source: str) -> Layout:
    """Read a source; raises `Unreadable` where a quote, a bracket or a block has no end.

    >>> [word.value for word in read_bash("echo 'it is' $x # so").commands[0].words]
    ['echo', 'it is', None]
    """
    reader = _Reader(source)
    commands = tuple(reader.commands())
    return Layout(commands=commands, comment_lines=frozenset(reader.alone))


@dataclass
class _Reader(WordReader):
    # What is open: the word that closes it, the line, and whether it is a function's body.
    blocks: list[tuple[str, int, bool]] = field(default_factory=list)
    documents: list[tuple[str, bool]] = field(default_factory=list)
    # Whether the last separator was no plain end of a command.
    is_joined: bool = False

    def commands(self) -> Iterator[Command]:
        found: list[tuple[Command, int]] = []
        while self.place < len(self.source):
            blocks, was_joined = list(self.blocks), self.is_joined
            self.is_joined = False
            words = self._command()
            if words:
                nested = bool(blocks or self.blocks or was_joined or self.is_joined)
                function = any(is_function for _, _, is_function in [*blocks, *self.blocks])
                command = Command(words=tuple(words), is_nested=nested, is_in_function=function)
                found.append((command, self._end_line(words)))
        if self.blocks:
            closer, line, _ = self.blocks[-1]
            raise Unreadable(f"`{closer}` is missing", line)
        last = {end: number for number, (_, end) in enumerate(found)}
        for number, (command, end) in enumerate(found):
            comment = self.behind.get(end, "") if last[end] == number else ""
            if not comment and command.words[0].line < end:
                comment = self.behind.get(command.words[0].line, "")
            yield Command(
                words=command.words,
                comment=comment,
                is_nested=command.is_nested,
                is_in_function=command.is_in_function,
            )

    def _end_line(self, words: list[Word]) -> int:
        return words[-1].line + words[-1].source.count("\n")

    def _command(self) -> list[Word]:
        """Read up to the next separator; keywords open and close blocks on the way."""
        words: list[Word] = []
        is_start = True
        while self._skip_to_code():
            character = self.source[self.place]
            if character in _SEPARATORS:
                self._separator()
                return words
            if character in "<>":
                self._redirect()
            elif character in "()":
                if self._bracket(words, is_start=is_start):
                    return words
                is_start = True
            else:
                word = self.word()
                if is_start and self._keyword(word):
                    is_start = word.source in _PREFIXES or word.source == "function"
                    if word.source in ("for", "select", "case"):
                        words = [word]
                    continue
                words.append(word)
                # `name=value command`: what follows an assignment may still be a keyword's place.
                is_start = False
        return words

    def _skip_to_code(self) -> bool:
        """Go on behind blanks and comments; tell whether something follows."""
        while self.place < len(self.source):
            if self.source[self.place] in _BLANKS:
                self.place += 1
            elif self.source.startswith("\\\n", self.place):
                self.place += 2
            elif self.source[self.place] == "#":
                self.comment()
            else:
                return True
        return False

    def _keyword(self, word: Word) -> bool:
        """Open or close a block; tell whether the word is a keyword."""
        text = word.source
        if self.blocks and text == self.blocks[-1][0]:
            self.blocks.pop()
            return True
        if text in _CLOSERS:
            is_function = bool(self.blocks) and self.blocks[-1][0] == ""
            if is_function:
                self.blocks.pop()
            self.blocks.append((_CLOSERS[text], word.line, is_function))
            return True
        if text == "function":
            self.skip_blanks()
            self.word()
            self.skip_blanks()
            if self.source.startswith("()", self.place):
                self.place += 2
            self._open_function()
            return True
        return text in _PREFIXES

    def _open_function(self) -> None:
        # Its body comes next, perhaps on the next line: a block without a closer until then.
        self.blocks.append(("", self.line, True))
        while self.place < len(self.source) and self.source[self.place] in " \t\n":
            self.place += 1

    def _bracket(self, words: list[Word], *, is_start: bool) -> bool:
        """Take a bracket outside of words; tell whether a command ends with it."""
        opens = self.source[self.place] == "("
        if opens and is_start and self.source.startswith("((", self.place):
            self.place = self.skip("((", "))")
            return True
        self.place += 1
        if opens and words and self.source[self.place : self.place + 1] == ")":
            self.place += 1
            words.clear()
            self._open_function()
            return True
        if opens:
            is_body = bool(self.blocks) and self.blocks[-1][0] == ""
            if is_body:
                self.blocks.pop()
            self.blocks.append((")", self.line, is_body))
        elif self.blocks and self.blocks[-1][0] == ")":
            self.blocks.pop()
        elif self.blocks and self.blocks[-1][0] == "esac":
            # A pattern of `case`.
            words.clear()
        else:
            raise Unreadable("`)` closes nothing", self.line)
        return True

    def _separator(self) -> None:
        character = self.source[self.place]
        self.place += 1
        self.is_joined = self.is_joined or character in "&|"
        if character == "\n" and self.documents:
            for word, is_indented in self.documents:
                self._document(word, is_indented=is_indented)
            self.documents = []

    def _document(self, end: str, *, is_indented: bool) -> None:
        line = self.line - 1
        while self.place < len(self.source):
            stop = self.source.find("\n", self.place)
            stop = len(self.source) if stop < 0 else stop
            text = self.source[self.place : stop]
            self.place = min(stop + 1, len(self.source))
            if (text.lstrip("\t") if is_indented else text) == end:
                return
        raise Unreadable(f"the here-document has no end `{end}`", line)

    def _redirect(self) -> None:
        match = re.compile(r"<<<|<<-?|<\(|>\(|[<>]&|&?>>?\|?|<>|<").match(self.source, self.place)
        assert match is not None
        self.place = match.end()
        operator = match[0]
        if operator in ("<(", ">("):
            self.place = self.skip("(", ")", at=match.end() - 1)
            return
        if operator in ("<<", "<<-"):
            self.skip_blanks()
            word = self.word()
            end = word.value if word.value is not None else word.source
            self.documents.append((end, operator == "<<-"))
