"""Random numbers that nothing has seeded."""

from __future__ import annotations

import pytest

from nb2prod.export.preflight import preflight
from tests.helpers.notebooks import code, notebook, parameters

IMPORTS = (
    "import random, torch, numpy as np, pandas as pd, sklearn.model_selection\n"
    "from sklearn.model_selection import train_test_split, KFold\n"
    "from sklearn.ensemble import RandomForestClassifier as RF\n"
    "from torch.utils.data import DataLoader\n"
    "df = pd.DataFrame()"
)


def unseeded(*sources: str) -> list[tuple[int | None, int | None]]:
    """Cell and line of each finding; the first two cells have parameters and imports."""
    cells = [parameters("seed = 1"), code(IMPORTS), *map(code, sources)]
    found = preflight(notebook(*cells))
    return [(item.cell, item.line) for item in found if item.code == "unseeded-randomness"]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("random.random()", id="random"),
        pytest.param("np.random.randn(3)", id="numpy"),
        pytest.param("np.random.default_rng()", id="generator"),
        pytest.param("np.random.RandomState(None)", id="seed-none"),
        pytest.param("torch.randn(3)", id="torch"),
        pytest.param("torch.nn.Linear(2, 3)", id="weights"),
        pytest.param("DataLoader(df, shuffle=True)", id="loader"),
        pytest.param("train_test_split(df)", id="split"),
        pytest.param("sklearn.model_selection.train_test_split(df)", id="whole-name"),
        pytest.param("RF(n_estimators=3)", id="estimator"),
        pytest.param("RF(random_state=None)", id="state-none"),
        pytest.param("KFold(3, shuffle=True)", id="shuffling-folds"),
        pytest.param("df.sample(frac=0.5)", id="frac"),
        pytest.param("df.sample(5)", id="sample"),
        pytest.param("random.seed()\nrandom.random()", id="seeded-with-nothing"),
    ],
)
def test_unseeded_randomness_is_found(source: str) -> None:
    assert unseeded(source) == [(3, source.count("\n") + 1)]


@pytest.mark.parametrize(
    "sources",
    [
        pytest.param(["random.seed(1)", "random.random()"], id="random-seeded"),
        pytest.param(["np.random.seed(seed)\nnp.random.rand()"], id="numpy-seeded"),
        pytest.param(["np.random.seed(seed=1)", "RF()", "df.sample(3)"], id="numpys-is-theirs"),
        pytest.param(["rng = np.random.default_rng(seed)\nrng.normal(); rng.random()"], id="own"),
        pytest.param(["torch.manual_seed(0)\ntorch.rand(2); torch.nn.Linear(1, 1)"], id="torch"),
        pytest.param(["from lightning import seed_everything", "seed_everything(1)",
            "torch.rand(1); random.random(); np.random.rand()"], id="seed-everything"),
        pytest.param(["def fix_seed(s):\n    random.seed(s)\n    np.random.seed(s)",
            "fix_seed(1)", "random.random(); np.random.rand()"], id="own-function"),
        pytest.param(["def prepare():\n    np.random.seed(0)", "prepare()", "np.random.rand()"],
            id="own-function-of-any-name"),
        pytest.param(["def draw(): return random.random()", "random.seed(1)", "draw()"],
            id="drawn-when-called"),
        pytest.param(["def draw(): return random.random()"], id="never-called"),
        pytest.param(["train_test_split(df, random_state=seed)", "RF(random_state=0)"], id="state"),
        pytest.param(["train_test_split(df, shuffle=False)", "KFold(3)"], id="in-order"),
        pytest.param(["RF(**options)"], id="options-that-nobody-knows"),
        pytest.param(["DataLoader(df)", "torch.randn(2, generator=g)"], id="torch-without"),
        pytest.param(["df.sample(frac=1, random_state=1)"], id="sample-with-state"),
        pytest.param(["env.action_space.sample()", "model.sample(df)"], id="samples-of-others"),
        pytest.param(["class random: random = print\nrandom.random()"], id="ones-own"),
    ],
)  # fmt: skip
def test_seeded_randomness_is_left_alone(sources: list[str]) -> None:
    assert unseeded(*sources) == []


def test_unseeded_randomness_before_the_seed_is_found() -> None:
    assert unseeded("np.random.rand()", "np.random.seed(1)", "np.random.rand()") == [(3, 1)]


def test_unseeded_randomness_seeded_below_in_the_same_cell_is_found() -> None:
    assert unseeded("np.random.rand()\nnp.random.seed(1)\nnp.random.rand()") == [(3, 1)]


def test_a_function_that_seeds_but_is_never_called_seeds_nothing() -> None:
    assert unseeded("def prepare(): np.random.seed(0)", "np.random.rand()") == [(4, 1)]


def test_a_seed_of_another_generator_does_not_help() -> None:
    assert unseeded("np.random.seed(1)", "random.random(); torch.rand(1)") == [(4, 1)]
