"""Interpreters that answer, and that don't."""

from __future__ import annotations

import sys

import pytest

from nb2prod.errors import KernelUnavailable
from nb2prod.registry.interpreters import ask


def test_answer_is_what_was_printed() -> None:
    assert ask([sys.executable, "-c", "print('é')"]) == "é\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/nowhere/python"], "No such file or directory."),
        ([sys.executable, "-c", "raise SystemExit('no such module')"], "no such module"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "it ended with exit status 3."),
        ([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], "it was ended by SIGKILL."),
        (["sleep", "60"], "nothing has come within 0.5 s."),
    ],
)
def test_interpreter_that_does_not_answer_is_named_with_its_reason(
    command: list[str], words: str
) -> None:
    with pytest.raises(KernelUnavailable) as caught:
        ask(command, timeout_s=0.5 if command[0] == "sleep" else 60)

    assert str(caught.value) == f"The kernel's interpreter {command[0]} does not answer: {words}"
