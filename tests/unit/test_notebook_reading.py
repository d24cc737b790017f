"""Reading notebook files: any form of format 4 and 3; one clear error for all else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.errors import NotebookUnreadable
from nb2prod.notebook.reading import parse_notebook, read_notebook, to_node
from tests.helpers.notebooks import code, markdown, notebook_json, stream, write_notebook
from tests.helpers.properties import property_test


def parse(document: object) -> Any:
    return parse_notebook(json.dumps(document).encode(), name="example")


def test_read_notebook_gives_cells_as_written(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "train.ipynb",
        markdown("# Title\n\ntext"),
        code("x = 1\ny", tags=["a"], outputs=[stream("1\n")], execution_count=3),
    )
    notebook = read_notebook(path)
    title, cell = notebook.cells

    assert (notebook.name, notebook.title, notebook.language) == ("train", "Title", "python")
    assert (title.number, title.kind, title.source) == (1, "markdown", "# Title\n\ntext")
    assert (cell.source, cell.tags, cell.execution_count) == ("x = 1\ny", ("a",), 3)
    assert cell.outputs == ({"output_type": "stream", "name": "stdout", "text": "1\n"},)


def test_read_notebook_of_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotebookUnreadable, match="There is no file"):
        read_notebook(tmp_path / "no.ipynb")


def test_read_notebook_of_a_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotebookUnreadable, match="can't be read"):
        read_notebook(tmp_path)


def test_parse_notebook_of_windows_line_ends_gives_pythons() -> None:
    document = notebook_json(code("x"))
    document["cells"][0]["source"] = ["a = 1\r\n", "b = 2\r\n"]

    assert parse(document).cells[0].source == "a = 1\nb = 2"


def test_parse_notebook_joins_outputs_kept_as_lines() -> None:
    data = {"text/plain": ["a\n", "b"], "application/json": ["a", "b"]}
    outputs: list[dict[str, Any]] = [
        {"output_type": "display_data", "data": data, "metadata": {}},
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]},
    ]
    shown, printed = parse(notebook_json(code("x", outputs=outputs))).cells[0].outputs

    assert shown["data"] == {"text/plain": "a\nb", "application/json": ["a", "b"]}
    assert printed["text"] == "a\nb"


def test_parse_notebook_without_metadata_is_python() -> None:
    notebook = parse({"nbformat": 4, "nbformat_minor": 0, "cells": []})

    assert (notebook.kernel_name, notebook.language, notebook.cells) == ("python3", "python", ())


@pytest.mark.parametrize("name", ["python3", "Python", "ipython"])
def test_python_is_known_by_its_kernels_names_too(name: str) -> None:
    metadata = {"kernelspec": {"name": "python3", "language": name}}
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": []}

    notebook = parse_notebook(json.dumps(document).encode(), name="train")

    assert notebook.language == "python"
    assert to_node(notebook).metadata.kernelspec.language == "python"


def test_parse_notebook_of_format_3_is_upgraded() -> None:
    document = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "level": 1, "source": "Old", "metadata": {}},
                    {
                        "cell_type": "code",
                        "input": "x = 1",
                        "language": "python",
                        "outputs": [],
                        "collapsed": False,
                        "metadata": {},
                    },
                ]
            }
        ],
    }
    title, cell = parse(document).cells

    assert (title.kind, title.source) == ("markdown", "# Old")
    assert (cell.kind, cell.source) == ("code", "x = 1")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"\xff\xfe{", "UTF-8", id="not-utf-8"),
        pytest.param(b"{", "JSON", id="cut-off"),
        pytest.param(b"[" * 100_000, "JSON", id="too-deep"),
        pytest.param(b"[]", "no notebook", id="a-list"),
        pytest.param(b"{}", "format None", id="no-format"),
        pytest.param(b'{"nbformat": 5, "cells": []}', "format 5", id="format-5"),
        pytest.param(b'{"nbformat": 3}', "format 3", id="broken-format-3"),
        pytest.param(b'{"nbformat": 4}', "no list of cells", id="no-cells"),
        pytest.param(b'{"nbformat": 4, "cells": [1]}', "cell 1 is no cell", id="no-cell"),
        pytest.param(
            b'{"nbformat": 4, "cells": [{"cell_type": "x", "source": ""}]}', "type 'x'", id="type"
        ),
        pytest.param(
            b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 1}]}',
            "no text",
            id="source",
        ),
        pytest.param(
            b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "\\ud800"}]}',
            "Unicode",
            id="half-a-character",
        ),
        pytest.param(
            b'{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "a\\u0000"}]}',
            "cell 1 has a NUL",
            id="nul",
        ),
    ],
)
def test_parse_notebook_of_no_notebook_says_what_is_wrong(content: bytes, why: str) -> None:
    with pytest.raises(NotebookUnreadable, match=why):
        parse_notebook(content, name="example")


@property_test
@given(st.binary())
def test_parse_notebook_of_any_bytes_has_one_error(content: bytes) -> None:
    with pytest.raises(NotebookUnreadable):
        parse_notebook(content, name="example")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda items: (
        st.lists(items, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cell_type", "source", "metadata", "outputs", "tags", "attachments"]),
            items,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@property_test
@given(st.lists(ANY_JSON, max_size=3), ANY_JSON)
def test_parse_notebook_of_any_cells_is_read_or_refused(cells: list[object], meta: object) -> None:
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": meta, "cells": cells}
    try:
        notebook = parse(document)
    except NotebookUnreadable:
        return

    assert len(notebook.cells) == len(cells)


def test_to_node_is_valid_and_the_same_each_time(tmp_path: Path) -> None:
    import nbformat

    path = write_notebook(
        tmp_path / "train.ipynb",
        markdown("hi", attachments={"a.png": {"image/png": "AAAA"}}),
        code("x", tags=["parameters"], outputs=[stream("1")], execution_count=1),
    )
    notebook = read_notebook(path)
    node = to_node(notebook)

    nbformat.validate(node)
    assert node == to_node(notebook)
    assert [cell.id for cell in node.cells] == ["cell-1", "cell-2"]
    assert node.cells[1].metadata.tags == ["parameters"]
    assert parse_notebook(nbformat.writes(node).encode(), name="train").cells == notebook.cells
