"""Reading a stranger's folder, file by file and line by line."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from nb2prod.execution import untrusted
from nb2prod.execution.events import Noted, OutputAdded, encode
from nb2prod.execution.recorder import now
from nb2prod.execution.untrusted import read_event, read_lines
from nb2prod.store.untrusted_folder import UntrustedFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_text("secret")
    path = tmp_path / "folder"
    (path / "in" / "ner").mkdir(parents=True)
    (path / "plain").write_text("plain")
    (path / "in" / "ner" / "plain").write_text("inner")
    (path / "link").symlink_to("plain")
    (path / "way out").symlink_to(tmp_path / "outside")
    (path / "linked").symlink_to("in")
    os.mkfifo(path / "pipe")
    return path


@pytest.mark.parametrize(
    ("names", "content"),
    [(("plain",), b"plain"), (("in", "ner", "plain"), b"inner")],
    ids=["in it", "deep in it"],
)
def test_plain_file_beneath_the_folder_is_opened(
    folder: Path, names: tuple[str, ...], content: bytes
) -> None:
    with UntrustedFolder(folder) as opened:
        stream = opened.open(*names)
        assert stream is not None
        with stream:
            assert stream.read() == content


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    "names",
    [
        ("missing",),
        ("link",),
        ("way out",),
        ("pipe",),
        ("in",),
        ("linked", "ner", "plain"),
        ("..", "outside"),
        ("in/../../outside",),
        ("",),
        (".",),
        ("a\0b",),
        ("plain", "within"),
        ("x" * 300,),
    ],
    ids=repr,
)
def test_anything_else_is_not_opened_and_no_descriptor_is_left(
    folder: Path, names: tuple[str, ...]
) -> None:
    before = descriptors()

    with UntrustedFolder(folder) as opened:
        assert opened.open(*names) is None

    assert descriptors() == before


@pytest.mark.parametrize("name", ["missing", "link", "plain"])
def test_folder_that_is_none_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        UntrustedFolder(folder / name)


def test_link_to_a_folder_is_refused(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        UntrustedFolder(folder / "linked")


@pytest.mark.parametrize(
    ("content", "max_bytes", "lines"),
    [
        (b"", 100, []),
        (b"a\nb\n", 100, [b"a\n", b"b\n"]),
        (b"a\ntorn", 100, [b"a\n"]),
        (b"a\nbbbbbbbbbbbbbbb\nc\n", 100, [b"a\n", None, b"c\n"]),
        (b"a\nbbbbbbbbbbbbbbbbbbbbbbbbb", 100, [b"a\n"]),
        (b"a\nb\nc\n", 4, [b"a\n", b"b\n"]),
        (b"a\nb\nc\n", 5, [b"a\n", b"b\n"]),
        (b"1234567\n", 100, [b"1234567\n"]),
        (b"12345678\n", 100, [None]),
    ],
    ids=["empty", "lines", "torn", "long", "long and torn", "limit", "torn limit", "full", "over"],
)
def test_lines_are_read_within_limits(
    monkeypatch: pytest.MonkeyPatch, content: bytes, max_bytes: int, lines: list[bytes | None]
) -> None:
    monkeypatch.setattr(untrusted, "MAX_LINE_BYTES", 8)
    monkeypatch.setattr(untrusted, "_SKIP_BYTES", 3)

    assert list(read_lines(io.BytesIO(content), max_bytes)) == lines


def test_event_of_a_worker_is_read_as_it_was_written() -> None:
    output = {
        "output_type": "display_data",
        "data": {"text/plain": ["a", "b"], "application/json": {"a": [1, {"b": None}]}},
        "metadata": {"text/plain": {"isolated": True}},
    }
    for event in (
        Noted(at=now(), text="x"),
        OutputAdded(at=now(), number=1, output=output, display_id="d"),
    ):
        assert read_event(encode(event)) == event


def test_event_nested_as_deeply_as_allowed_is_read_and_one_deeper_is_not() -> None:
    def line(depth: int) -> bytes:
        value: object = 1
        for _ in range(depth):
            value = [value]
        output = {"output_type": "display_data", "data": {"a": value}, "metadata": {}}
        event = {"kind": "output_added", "at": now().isoformat(), "number": 1, "output": output}
        return json.dumps(event).encode()

    # The output itself, and its data, are two of them.
    deepest = untrusted.MAX_DEPTH - 2
    assert read_event(line(deepest)) is not None
    assert read_event(line(deepest + 1)) is None
