"""What an error of each kernel says, in one line."""

from __future__ import annotations

import pytest

from nb2prod.execution.kernel_manners import manners_of


@pytest.mark.parametrize(
    ("language", "name", "value", "line"),
    [
        ("python", "ValueError", "bad", "ValueError: bad"),
        ("R", "ERROR", "Error in f(1): bad\n", "Error in f(1): bad"),
        ("r", "ERROR", "", "ERROR"),
        ("bash", "", "2", "exit status 2"),
        ("bash", "", "Cell has trailing backslash", "Error: Cell has trailing backslash"),
        ("julia", "E", "x", "E: x"),
    ],
)
def test_error_line_of(language: str, name: str, value: str, line: str) -> None:
    assert manners_of(language).error_line({"ename": name, "evalue": value}) == line


def test_only_python_kernels_tell_of_their_files() -> None:
    assert [bool(manners_of(name).note) for name in ("python", "r", "bash")] == [False, True, True]
