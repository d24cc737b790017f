"""The notebooks of the corpus, and what is to become of each."""

from __future__ import annotations

from pathlib import Path

from nb2prod.errors import Nb2prodError
from nb2prod.export.assets import extract_assets
from nb2prod.export.script import to_script
from nb2prod.notebook.models import Notebook
from nb2prod.notebook.parameters import find_parameters
from nb2prod.notebook.reading import read_notebook

NOTEBOOKS = Path(__file__).parent / "notebooks"
GOLDEN = Path(__file__).parent / "scripts"
NAMES = tuple(sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")))
REFUSED = ".refused.txt"
# As a lock would say it, whatever is installed here.
DISTRIBUTIONS = {
    name: (name,) for name in ("ipywidgets", "matplotlib", "numpy", "pandas", "sympy", "torch")
} | {"sklearn": ("scikit-learn",), "tqdm": ("tqdm",), "IPython": ("ipython",)}


def book(name: str) -> Notebook:
    """Read a notebook, its pictures taken out as promotion does."""
    return extract_assets(read_notebook(NOTEBOOKS / f"{name}.ipynb"))[0]


def script_of(notebook: Notebook) -> str:
    """Write a notebook's script, with the same distributions on every machine."""
    parameters = find_parameters(notebook).parameters
    return to_script(notebook, parameters, distributions=DISTRIBUTIONS)


def exported(name: str) -> tuple[str, str]:
    """Export a notebook; returns the golden file's name and text, a script or a refusal."""
    try:
        return f"{name}.py", script_of(book(name))
    except Nb2prodError as error:
        return f"{name}{REFUSED}", f"{error}\n"


def is_exported(name: str) -> bool:
    """Whether the notebook is one that becomes a script."""
    return (GOLDEN / f"{name}.py").exists()
