"""Whatever is killed while runs go on, each comes to one true end, and nothing is left over.

``make chaos N=60 SEED=7`` is the long form. A seed that failed once gives the same strikes again.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from nb2prod.workspace.projects import found_project
from tests.helpers.chaos import PERSON, Storm
from tests.helpers.hub import StartedHub

pytestmark = pytest.mark.timeout(3600)

RUNS = int(os.environ.get("NB2PROD_CHAOS_RUNS") or 10)
SEED = int(os.environ.get("NB2PROD_CHAOS_SEED") or random.SystemRandom().randrange(10**6))


def test_runs_beside_the_workspace_come_to_their_true_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StartedHub(tmp_path / "home") as hub, hub.open() as workspace:
        project = found_project(workspace, "seats", owner=PERSON)
        storm = Storm(hub, workspace, project, SEED)
        storm.ask(RUNS)

        storm.rage()
        storm.settle()

        with capsys.disabled():
            sys.stdout.write(f"\n{storm.report()}\n")
        assert list(storm.faults()) == [], storm.report()
