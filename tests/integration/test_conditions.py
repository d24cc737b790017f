"""A run draws the same random numbers again, in the same order, zone and locale; and says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nb2prod.execution.models import RandomSource, RunRecord, RunStatus
from tests.helpers.kernels import Bench, open_bench
from tests.helpers.notebooks import code, parameters

# MLflow's own use of its libraries; ours stay errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DRAWS = """
import json, locale, random, time
import numpy as np
import torch
from numpy.random import RandomState, default_rng
print(json.dumps({
    "random": random.random(),
    "numpy": np.random.rand(),
    "new generator": [default_rng().random(), default_rng().random()],
    "old generator": RandomState().rand(),
    "shuffle": np.random.default_rng().permutation(8).tolist(),
    "torch": torch.rand(1).item(),
    "order": list({"ada", "grace", "mary", "emmy"}),
    "hash": hash("ada"),
    "zone": time.tzname[0],
    "locale": locale.getlocale()[1],
}))
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    shared = tmp_path_factory.getbasetemp() / "mlflow.db"
    with open_bench(tmp_path_factory.mktemp("conditions"), mlflow=shared) as opened:
        yield opened


def drawn(bench: Bench, replicate: int) -> tuple[RunRecord, dict[str, Any]]:
    record = bench.run(
        parameters("replicate: int = 0"), code(DRAWS), name="draw", values={"replicate": replicate}
    )
    assert record.status is RunStatus.SUCCEEDED, record.reason
    return record, json.loads(bench.printed(record))


def test_run_draws_the_same_again_and_other_values_draw_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TZ", raising=False)
    first, seen = drawn(bench, 1)
    again, same = drawn(bench, 1)
    other, different = drawn(bench, 2)

    assert seen == same
    assert first.conditions == again.conditions
    generators = ["random", "numpy", "new generator", "old generator", "torch"]
    assert all(seen[name] != different[name] for name in generators)
    assert len({*seen["new generator"]}) == 2
    assert [seen[name] for name in ("order", "hash", "zone")] == [
        different[name] for name in ("order", "hash", "zone")
    ]
    assert first.conditions is not None
    assert other.conditions is not None
    assert first.conditions.seed != other.conditions.seed
    assert (first.conditions.time_zone, seen["zone"]) == ("UTC", "UTC")
    assert seen["locale"] == "UTF-8"
    assert first.conditions.seeded == (
        RandomSource.NUMPY, RandomSource.RANDOM, RandomSource.TORCH,
    )  # fmt: skip


def test_zone_that_somebody_chose_is_the_kernels_and_the_records(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    record = bench.run(code("import time\nprint(time.tzname[0])"), name="zone")

    assert record.conditions is not None
    assert (record.conditions.time_zone, bench.printed(record)) == ("Asia/Tokyo", "JST\n")


def test_what_is_not_imported_is_not_seeded_and_nothing_is_imported_for_it(bench: Bench) -> None:
    record = bench.run(
        code("import sys\nprint(sorted({'numpy', 'torch'} & set(sys.modules)))"), name="lean"
    )

    assert record.conditions is not None
    assert record.conditions.seeded == (RandomSource.RANDOM,)
    assert bench.printed(record) == "[]\n"


@pytest.mark.parametrize("early", ["", "np.random.rand()"], ids=["imported late", "and early"])
def test_forked_children_do_not_draw_what_their_brothers_draw(bench: Bench, early: str) -> None:
    # numpy imports its part for random numbers when it is first used.
    source = f"""
import multiprocessing
import sys
import numpy as np
{early}

def draw(_):
    return np.random.default_rng().random()

with multiprocessing.get_context("fork").Pool(2) as pool:
    drawn = pool.map(draw, range(4), chunksize=1)
print(len(set(drawn)), bool({early!r}) == ("numpy.random" in sys.modules))
"""

    record = bench.run(code(source), name="brothers")

    assert bench.printed(record) == "4 True\n"


def test_seed_that_the_notebook_plants_is_its_own(bench: Bench) -> None:
    source = "import numpy as np\nnp.random.seed(1)\nprint(np.random.rand())"

    record = bench.run(code(source), name="own")

    assert bench.printed(record) == "0.417022004702574\n"


def test_fixed_conditions_of_a_killed_kernel_are_known(bench: Bench) -> None:
    record = bench.run(code("import os, numpy.random\nos.kill(os.getpid(), 9)"), name="killed")

    assert record.status is RunStatus.KERNEL_DIED
    assert record.conditions is not None
    assert record.conditions.seeded == (RandomSource.NUMPY, RandomSource.RANDOM)
