"""Secrets and tokens are taken out of whatever runs put out, however it comes."""

from __future__ import annotations

import base64
import html
import itertools
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.execution.redaction import Redactor, StreamRedactor

VALUE = 'p4ss "wörd" <&> 7!'
MARK = "[secret DB_PASSWORD]"
TOKEN = "nb2p_" + "aB3-_" * 8
REDACTOR = Redactor({"DB_PASSWORD": VALUE})

# Of what a rule of the workspace lets a secret hold: at least six characters.
values = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="[]"),
    min_size=6,
    max_size=40,
).filter(lambda text: len(text.strip()) >= 6 and len(set(text)) >= 4)


def encoded(value: str) -> dict[str, str]:
    """Ways in which programs write a value down."""
    content = value.encode()
    return {
        "plain": value,
        "JSON": json.dumps({"password": value}),
        "JSON in JSON": json.dumps(json.dumps([value], ensure_ascii=False)),
        "Python": repr({"password": value}),
        "HTML": f"<p>{html.escape(value)}</p>",
        "address": f"https://example.org/?p={quote(value, safe='')}&x=1",
        "hexadecimal": content.hex(),
        "base64": base64.b64encode(content).decode(),
        "base64 within": base64.b64encode(b"user:" + content + b"@").decode(),
        "base64 of an address": base64.urlsafe_b64encode(b"x" + content).decode(),
    }


@pytest.mark.parametrize("form", list(encoded(VALUE)))
def test_value_is_found_as_programs_write_it(form: str) -> None:
    written = encoded(VALUE)[form]

    shown = REDACTOR.text(f"before {written} after")

    assert MARK in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert VALUE not in shown
    assert written not in shown


@pytest.mark.parametrize(
    "text",
    [
        f"\x1b[31m{VALUE[:5]}\x1b[0m{VALUE[5:]}",
        f"<b>{html.escape(VALUE[:5])}</b>{html.escape(VALUE[5:])}",
        f"{VALUE[:5]}\n{VALUE[5:]}",
    ],
    ids=["coloured", "marked up", "broken"],
)
def test_value_is_found_through_what_a_reader_does_not_see(text: str) -> None:
    shown = REDACTOR.text(text)

    assert MARK in shown
    assert VALUE[5:] not in shown
    assert html.escape(VALUE[5:]) not in shown


def test_text_without_secrets_is_as_it_was() -> None:
    text = "Seats of JFK-DL: 1,204 \x1b[1mof\x1b[0m 2,000\n"

    assert REDACTOR.text(text) == text


def test_token_of_ours_is_known_by_its_look() -> None:
    assert Redactor().text(f"curl -H 'Authorization: Bearer {TOKEN}'").endswith("[token]'")


def test_token_in_the_environment_is_known_by_its_name() -> None:
    redactor = Redactor.of_process({}, {"MLFLOW_TRACKING_TOKEN": "a-token-of-mlflow"})

    assert redactor.text("it is a-token-of-mlflow") == "it is [token MLFLOW_TRACKING_TOKEN]"


def test_content_of_a_file_is_looked_at_as_bytes() -> None:
    assert REDACTOR.name_in(b"\xff\x00" + VALUE.encode() + b"\x00") == MARK
    assert REDACTOR.name_in(b"\xff\x00 nothing") is None


def test_lists_mappings_and_keys_are_looked_at() -> None:
    value: dict[str, Any] = {
        VALUE: [1, None, {"a": (VALUE, True)}],
        "lines": [VALUE[:5], VALUE[5:]],
    }

    shown = REDACTOR.of(value)

    assert shown[MARK] == [1, None, {"a": (MARK, True)}]
    assert VALUE[5:] not in json.dumps(shown["lines"], ensure_ascii=False)


def test_dataclass_is_given_back_as_one() -> None:
    @dataclass(frozen=True)
    class Said:
        text: str
        number: int

    assert REDACTOR.of(Said(text=VALUE, number=3)) == Said(text=MARK, number=3)


@given(values, st.text(max_size=30), st.text(max_size=30), st.lists(st.integers(0, 120)))
def test_no_value_comes_through_a_stream_however_it_is_cut(
    value: str, before: str, after: str, cuts: list[int]
) -> None:
    text = f"{before}{value}{after}"
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    stream = StreamRedactor(Redactor({"NAME": value}))

    told = [stream.feed(text[start:end]) for start, end in itertools.pairwise(bounds)]
    told.append(stream.flush())

    assert value not in "".join(told)


@given(st.text(max_size=200), st.lists(st.integers(0, 200)))
def test_what_holds_no_secret_comes_through_a_stream_as_it_was(text: str, cuts: list[int]) -> None:
    # Characters that the text can't have: hypothesis does not make these without being asked.
    stream = StreamRedactor(Redactor({"NAME": "\ue000\ue001\ue002\ue003\ue004\ue005"}))
    if "\ue000" in text or "nb2p_" in text:
        return
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]

    told = [stream.feed(text[start:end]) for start, end in itertools.pairwise(bounds)]

    assert "".join([*told, stream.flush()]) == text


@given(values)
def test_no_form_of_a_value_is_left(value: str) -> None:
    redactor = Redactor({"NAME": value})

    for written in encoded(value).values():
        assert value not in redactor.text(written)
        assert base64.b64encode(value.encode()).decode()[:-4] not in redactor.text(written)
