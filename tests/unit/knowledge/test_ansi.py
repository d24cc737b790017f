"""What a terminal would show, as markup."""

from __future__ import annotations

import pytest

from nb2prod.knowledge import ansi


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        pytest.param("a < b & c", "a &lt; b &amp; c", id="plain"),
        pytest.param("\x1b[31mx\x1b[0my", '<span class="ansi-red">x</span>y', id="colour"),
        pytest.param("\x1b[91mx", '<span class="ansi-bright-red">x</span>', id="bright"),
        pytest.param("\x1b[44mx", '<span class="ansi-bg-blue">x</span>', id="background"),
        pytest.param("\x1b[102mx", '<span class="ansi-bg-bright-green">x</span>', id="bright-bg"),
        pytest.param(
            "\x1b[1;3;4mx\x1b[22mz",
            '<span class="ansi-bold ansi-italic ansi-underline">x</span>'
            '<span class="ansi-italic ansi-underline">z</span>',
            id="faces",
        ),
        pytest.param("\x1b[31mx\x1b[my", '<span class="ansi-red">x</span>y', id="empty-reset"),
        pytest.param("\x1b[38;5;196mx", '<span class="ansi-bright-red">x</span>', id="of-256"),
        pytest.param("\x1b[38;5;2mx", '<span class="ansi-green">x</span>', id="of-256-basic"),
        pytest.param("\x1b[38;5;240mx", '<span class="ansi-bright-black">x</span>', id="of-greys"),
        pytest.param(
            "\x1b[48;2;250;250;250mx", '<span class="ansi-bg-bright-white">x</span>', id="true"
        ),
        pytest.param("\x1b[38;5;999mx\x1b[39my", "xy", id="no-colour"),
        pytest.param(
            "\x1b[31ma\nb\x1b[39mc",
            '<span class="ansi-red">a</span>\n<span class="ansi-red">b</span>c',
            id="over-lines",
        ),
        pytest.param("\x1b]8;;http://x.y\x1b\\text\x1b]8;;\x1b\\", "text", id="hyperlink"),
        pytest.param("\x1b]0;title\x07text", "text", id="window-title"),
        pytest.param("a\x1b[2Ab\x1b[?25lc\x1b(Bd", "abcd", id="cursor"),
        pytest.param("10%\r 20%\r100%", "100%", id="progress"),
        pytest.param("abcdef\rxy", "xycdef", id="overwritten-in-part"),
        pytest.param("abcdef\rxy\x1b[K", "xy", id="erased"),
        pytest.param("abcdef\r\x1b[2Kxy", "xy", id="erased-whole"),
        pytest.param("12\b\b\b3", "32", id="backspace"),
        pytest.param("a\r\nb\r\n", "a\nb\n", id="windows-lines"),
        pytest.param(
            "\x1b[31mab\r\x1b[32mc",
            '<span class="ansi-green">c</span><span class="ansi-red">b</span>',
            id="overwritten-colour",
        ),
        pytest.param("if x\u202e:", 'if x<span class="control">U+202E</span>:', id="direction"),
    ],
)
def test_to_html_shows_what_a_terminal_shows(text: str, markup: str) -> None:
    assert ansi.to_html(text) == markup


def test_to_html_of_many_lines_says_how_many_it_leaves_out() -> None:
    text = "\n".join(str(number) for number in range(5_000))

    lines = ansi.to_html(text).split("\n")

    assert ansi.is_shortened(text)
    assert lines[:2] == ["0", "1"]
    assert lines[-1] == "4999"
    assert len(lines) == ansi.MAX_LINES + 1
    assert lines[1_000] == '<span class="notice">… 3,000 lines left out …</span>'


def test_to_html_of_lines_at_the_limit_leaves_nothing_out() -> None:
    text = "\n".join("x" for _ in range(ansi.MAX_LINES))

    assert not ansi.is_shortened(text)
    assert ansi.to_html(text) == text


def test_to_html_of_a_long_line_says_how_much_it_leaves_out() -> None:
    markup = ansi.to_html("x" * (ansi.MAX_LINE_LENGTH + 7))

    assert markup.endswith('x<span class="notice">… 7 characters left out</span>')


def test_to_html_of_many_long_lines_keeps_first_and_last() -> None:
    lines = [f"{number} {'x' * 4_000}" for number in range(1_500)]

    markup = ansi.to_html("\n".join(lines))

    shown = markup.split("\n")
    left_out = 1_500 - (len(shown) - 1)
    assert len(markup) < ansi.MAX_LENGTH + 1_000
    assert shown[0] == lines[0]
    assert shown[-1] == lines[-1]
    assert f"… {left_out:,} lines left out …" in markup


def test_to_html_of_a_long_progress_bar_is_its_last_state() -> None:
    text = "\r".join(f"{number:6} of 100000" for number in range(100_000))

    assert ansi.to_html(text) == " 99999 of 100000"
