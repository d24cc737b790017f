"""What need not be imported to run a notebook.

nbformat validates notebooks by jsonschema, which can check addresses with characters of all
scripts where a package for it is installed, as it is beside a Jupyter server. That package builds
a grammar when it is imported, for a second. No notebook's schema has such addresses.
"""

from __future__ import annotations

import sys

_GRAMMAR = "rfc3987_syntax"


def leave_out_grammar() -> None:
    """Keep this process from importing it; to be called before nbformat is imported."""
    # That is how Python is told that a module can't be imported, and jsonschema goes without.
    sys.modules.setdefault(_GRAMMAR, None)  # type: ignore[arg-type]
