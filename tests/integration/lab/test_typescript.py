"""The logic of the browser half has tests of its own; here they are run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.helpers.browser import require

FOLDER = Path(__file__).parents[3] / "extensions/lab"


def test_typescript_logic_passes_its_own_tests() -> None:
    require(shutil.which("npm") is not None, "npm is not installed")
    require((FOLDER / "node_modules").exists(), "run scripts/setup-lab.sh first")
    result = subprocess.run(
        ["npm", "run", "--silent", "test"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-1000:]
    assert "# fail 0" in result.stdout
