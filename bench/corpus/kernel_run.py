"""`python -m bench.corpus.kernel_run NOTEBOOK RESULT`: run a notebook in a fresh kernel.

A process of its own, in the namespaces in which the kernel runs as well; the kernel's interpreter
is that of the kernelspec ``python3`` on ``JUPYTER_PATH``. The result is JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.corpus.comparison import FIGURE
from nb2prod.notebook.reading import read_notebook, to_node


def run(path: Path) -> dict[str, Any]:
    """Run a notebook where it lies, until its end or its first error."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    node = to_node(read_notebook(path))
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        node,
        kernel_name="python3",
        timeout=None,
        resources={"metadata": {"path": str(path.parent)}},
        shutdown_kernel="immediate",
    )
    status, error = "ended", ""
    try:
        asyncio.run(client.async_execute())
    except CellExecutionError as failure:
        status, error = "failed", f"{failure.ename}: {failure.evalue}"[:300]
    except (DeadKernelError, CellTimeoutError) as failure:
        status, error = "failed", type(failure).__name__
    assert isinstance(node, nbformat.NotebookNode)
    return {"status": status, "error": error, **shown(node)}


def shown(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a notebook's cells show as text, in their order, and their figures as base64."""
    outputs = [
        output
        for cell in node["cells"]
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
    ]
    return {"text": "".join(_texts(outputs)), "figures": list(_figures(outputs))}


def _texts(outputs: list[Mapping[str, Any]]) -> Iterator[str]:
    for output in outputs:
        if output["output_type"] == "stream" and output["name"] == "stdout":
            yield _joined(output["text"])
        elif output["output_type"] in ("execute_result", "display_data"):
            text = _joined(output["data"].get("text/plain", ""))
            yield f"{text}\n" if text else ""


def _figures(outputs: list[Mapping[str, Any]]) -> Iterator[str]:
    for output in outputs:
        data = output.get("data", {})
        text = _joined(data.get("text/plain", ""))
        if FIGURE.fullmatch(text.strip()) and any(key.startswith("image/") for key in data):
            yield _joined(data.get("image/png", "")).replace("\n", "")


def _joined(text: object) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def main() -> None:
    """Run the notebook that the command line names, and write what it showed."""
    path, result = map(Path, sys.argv[1:3])
    warnings.simplefilter("ignore")
    result.write_text(json.dumps(run(path)), encoding="utf-8")


if __name__ == "__main__":
    main()
