"""What a secret may be called, and what it may hold."""

from __future__ import annotations

import pytest

from nb2prod.errors import SecretInvalid
from nb2prod.workspace.secret_rules import MAX_BYTES, check_name, check_value


@pytest.mark.parametrize("name", ["DB_PASSWORD", "A", "S3", "X" * 64])
def test_names_as_for_environment_variables_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "db_password", "1A", "_A", "A-B", "A B", "Ä", "X" * 65, "A\n", "A=B", "A\0"]
)
def test_other_names_are_refused_with_an_example(name: str) -> None:
    with pytest.raises(SecretInvalid, match="such as DB_PASSWORD"):
        check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONSTARTUP", "HOME", "GIT_SSH_COMMAND"),
        *("NB2PROD_HOME", "MLFLOW_TRACKING_URI", "JUPYTER_PATH", "HTTPS_PROXY", "BASH_ENV"),
    ],
)
def test_names_that_decide_how_programs_run_are_refused(name: str) -> None:
    with pytest.raises(SecretInvalid, match="decides how programs run"):
        check_name(name)


@pytest.mark.parametrize("value", ["abc123", "a b\tc\nd", "wörter!", "x" * (MAX_BYTES - 3) + "abc"])
def test_values_are_kept_as_utf_8(value: str) -> None:
    assert check_value("NAME", value) == value.encode()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "too short"),
        ("12345", "too short"),
        ("     1     ", "too short"),
        ("aaaaaaaaaa", "too short"),
        ("abc\0def", "NUL"),
        ("abcdef\ud800", "halves of characters"),
        ("abcdef" * MAX_BYTES, "bytes"),
    ],
)
def test_other_values_are_refused_and_never_repeated(value: str, said: str) -> None:
    with pytest.raises(SecretInvalid, match=said) as refused:
        check_value("NAME", value)

    assert len(value) < 5 or value not in refused.value.message
