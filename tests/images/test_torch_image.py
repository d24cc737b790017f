"""The image that the example needs: torch on top of the base."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.helpers.engine import HARDENED, IMAGES_TIMEOUT_S, REPOSITORY, Engine

pytestmark = pytest.mark.timeout(IMAGES_TIMEOUT_S)

EXAMPLE = REPOSITORY / "docs/examples/seat-demand"

TRAINING = """
import json, torch, pandas, pyarrow
from sklearn.linear_model import Lasso
torch.manual_seed(1)
x = torch.rand(200, 3); y = x @ torch.tensor([[1.0], [2.0], [3.0]])
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for _ in range(300):
    loss = torch.nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
lasso = Lasso(alpha=1e-6).fit(x.numpy(), y.numpy())
print(json.dumps({"loss": loss.item(), "torch": torch.__version__,
    "lasso": [round(float(value), 2) for value in lasso.coef_]}))
"""


def test_torch_image_trains_with_torch_and_scikit_learn_in_one_process(
    docker_engine: Engine, torch_image: str
) -> None:
    answer = docker_engine.run(torch_image, "/opt/kernel/bin/python", "-c", TRAINING)

    seen = json.loads(answer.out)
    assert seen["loss"] < 1e-3
    assert seen["lasso"] == [1.0, 2.0, 3.0]
    version = (REPOSITORY / "requirements/torch.txt").read_text().strip().partition("==")[2]
    assert seen["torch"].partition("+")[0] == version


def test_torch_image_makes_the_example_s_tables(
    docker_engine: Engine, torch_image: str, tmp_path: Path
) -> None:
    options = (*HARDENED, f"--volume={EXAMPLE}:/example:ro", "--tmpfs=/made:uid=1000")
    program = (
        "cp /example/make_data.py /made/ && cd /made && /opt/kernel/bin/python make_data.py >&2"
        " && /opt/kernel/bin/python -c 'import pandas;"
        ' print(len(pandas.read_parquet("data/seats.parquet")))\''
    )
    answer = docker_engine.run(torch_image, "sh", "-c", program, options=options)

    assert answer.status == 0, answer.err
    assert int(answer.out) > 5000


def test_torch_image_has_all_that_the_example_imports(
    docker_engine: Engine, torch_image: str
) -> None:
    modules = sorted(
        {
            name
            for file in EXAMPLE.glob("*.ipynb")
            for cell in json.loads(file.read_text())["cells"]
            if cell["cell_type"] == "code"
            for name in re.findall(
                r"^(?:import|from) ([\w.]+)", "".join(cell["source"]), re.MULTILINE
            )
        }
    )
    program = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    answer = docker_engine.run(torch_image, "/opt/kernel/bin/python", "-c", program, *modules)

    assert "torch" in modules
    assert answer.status == 0, answer.err


def test_torch_image_shares_all_but_the_last_layer_with_the_base_image(
    docker_engine: Engine, torch_image: str, base_image: str
) -> None:
    torch, base = (
        json.loads(docker_engine.say("image", "inspect", image))[0]["RootFS"]["Layers"]
        for image in (torch_image, base_image)
    )

    # nb2prod itself lies on top, in both, so that a change of it leaves torch alone.
    assert len(torch) == len(base) + 1
    assert torch[: len(base) - 1] == base[:-1]


def test_torch_image_starts_servers_and_runs(docker_engine: Engine, torch_image: str) -> None:
    for name in ("start-server", "start-worker"):
        assert docker_engine.run(torch_image, f"/opt/server/bin/{name}").status == 64
    (image,) = json.loads(docker_engine.say("image", "inspect", torch_image))
    assert image["Config"]["Labels"]["org.opencontainers.image.title"] == "nb2prod/torch"
    assert image["Config"]["User"] == "1000:1000"
