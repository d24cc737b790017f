"""What a run takes from outside: found where it is so, and left alone where it only looks so."""

from __future__ import annotations

import pytest

from nb2prod.export.models import Finding
from nb2prod.export.preflight import preflight
from tests.helpers.notebooks import code, notebook, parameters

DATETIME = "from datetime import datetime, timedelta\nimport pandas as pd, time, numpy as np\n"


def of_code(name: str, *sources: str, metadata: dict[str, object] | None = None) -> list[Finding]:
    """The findings of one code; the first cell of the notebook has the parameters."""
    cells = [parameters("alpha = 1.0"), *map(code, sources)]
    return [item for item in preflight(notebook(*cells, metadata=metadata)) if item.code == name]


CLOCK_IN_A_CLASS = """class T:
    def a(self): self.t = time.time()
    def b(self): return time.time() - self.t"""


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        pytest.param(["import requests\nrequests.get(url)"], "requests.get", id="requests"),
        pytest.param(["import requests as r\ns = r.Session()"], "requests.Session", id="alias"),
        pytest.param(
            ["from urllib.request import urlopen", "urlopen(x)"],
            "urllib.request.urlopen",
            id="from",
        ),
        pytest.param(["import httpx\nhttpx.AsyncClient()"], "httpx.AsyncClient", id="httpx"),
        pytest.param(
            ["import pandas as pd\npd.read_csv('https://a.org/x.csv?key=1')"],
            "`read_csv` of `https://a.org`",
            id="read-csv",
        ),
        pytest.param(
            ["URL = 'https://a.org/'", "import pandas as pd\npd.read_parquet(URL + 'x')"],
            "`read_parquet` of `https://a.org`",
            id="address-in-a-name",
        ),
        pytest.param(
            ["import pandas as pd\npd.read_csv(f's3://bucket/{alpha}.csv')"], "s3://bucket", id="s3"
        ),
        pytest.param(
            ["import pandas as pd\npd.read_csv('ftp://ada:geheim@a.org/x')"],
            "`ftp://a.org`",
            id="no-password",
        ),
        pytest.param(
            ["from sklearn.datasets import fetch_california_housing as f\nf()"],
            "sklearn.datasets.fetch_california_housing",
            id="sklearn",
        ),
        pytest.param(["import seaborn as sns\nsns.load_dataset('tips')"], "seaborn", id="seaborn"),
        pytest.param(["import yfinance as yf\nyf.download('AAPL')"], "yfinance", id="yfinance"),
        pytest.param(["import torch\ntorch.hub.load('a', 'b')"], "torch.hub.load", id="torch-hub"),
        pytest.param(
            ["from torchvision import datasets\ndatasets.MNIST('data', download=True)"],
            "download=True",
            id="torchvision",
        ),
        pytest.param(
            ["from transformers import AutoModel\nAutoModel.from_pretrained('bert-base-uncased')"],
            "`from_pretrained` of `bert-base-uncased`",
            id="transformers",
        ),
        pytest.param(["!wget -q https://a.org/x.zip"], "`wget`", id="wget"),
        pytest.param(["!cd data && curl -O https://a.org/x"], "`curl`", id="curl-behind"),
        pytest.param(["%%bash\nset -e\ngit clone https://a.org/x"], "`git clone`", id="bash-cell"),
    ],
)
def test_network_access_is_found(sources: list[str], said: str) -> None:
    (finding,) = of_code("network-access", *sources)

    assert said in finding.message
    assert "geheim" not in finding.message
    assert finding.cell == len(sources) + 1


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import pandas as pd\npd.read_csv('data/a.csv')", id="file"),
        pytest.param("print('https://a.org')\nx = 'http://b.org'", id="only-a-text"),
        pytest.param("import requests\nrequests.utils.quote('a')", id="no-request"),
        pytest.param("import requests\nrequests.codes.ok", id="no-call"),
        pytest.param("class requests: get = print\nrequests.get(1)", id="ones-own"),
        pytest.param("d = {'a': 1}\nd.get('https://a.org')", id="a-dicts-get"),
        pytest.param("from sklearn.datasets import load_iris\nload_iris()", id="bundled"),
        pytest.param(
            "from torchvision import datasets\ndatasets.MNIST('d', download=False)",
            id="no-download",
        ),
        pytest.param(
            "from transformers import AutoModel\nAutoModel.from_pretrained('./model')",
            id="own-model",
        ),
        pytest.param("!echo wget\n!ls curl", id="other-commands"),
        pytest.param("from IPython.display import Image\nImage(url='https://a.org/x')", id="shown"),
    ],
)
def test_network_access_is_not_found_where_there_is_none(source: str) -> None:
    assert of_code("network-access", source) == []


def test_network_access_is_told_once_for_a_cell_at_its_first_line() -> None:
    (finding,) = of_code(
        "network-access", "import requests\n\nrequests.get(alpha)\nrequests.get(alpha)\n!wget x"
    )

    assert (finding.cell, finding.line) == (2, 3)
    assert finding.message.endswith("`requests.get`, `wget`.")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("today = datetime.now()\npath = f'{today}.csv'\nuse(path)", id="file-name"),
        pytest.param("since = datetime.now() - timedelta(days=7)\nuse(since)", id="some-days-ago"),
        pytest.param("df['at'] = pd.Timestamp.now()", id="column"),
        pytest.param("use(pd.to_datetime('today'))", id="to-datetime"),
        pytest.param("np.random.seed(int(time.time()))", id="seed"),
        pytest.param("open(time.strftime('%Y') + '.csv')", id="strftime"),
        pytest.param("def name():\n    now = datetime.now()\n    return now", id="returned"),
        pytest.param("age = datetime.now().year - 1969\nuse(age)", id="part-of-it"),
        pytest.param("if datetime.now().hour > 12: alpha", id="decides"),
    ],
)
def test_current_time_as_data_is_found(source: str) -> None:
    (finding,) = of_code("current-time", DATETIME + source)

    assert finding.cell == 2


@pytest.mark.parametrize(
    "sources",
    [
        pytest.param(["t = time.time()\nf()\nprint(time.time() - t)"], id="difference"),
        pytest.param(["t0 = time.time()", "t1 = time.time()", "took = t1 - t0"], id="over-cells"),
        pytest.param(["a = datetime.now()\nuse((datetime.now() - a).seconds)"], id="of-dates"),
        pytest.param(["t = time.perf_counter(); use(t)"], id="perf-counter"),
        pytest.param(["print('Started', datetime.now().strftime('%H:%M'))"], id="printed"),
        pytest.param(["now = time.ctime()\nprint(f'at {now}')"], id="printed-by-name"),
        pytest.param(["datetime.now()"], id="shown"),
        pytest.param(["while time.time() < alpha: pass"], id="deadline"),
        pytest.param(["times = []\ntimes.append(time.time())"], id="kept"),
        pytest.param(
            ["def since(t): return time.time() - t", "t = time.time()\nsince(t)"], id="own-function"
        ),
        pytest.param(
            ["t = time.time()\nprint(time.time() - t)", "def f(t): return use(t)"],
            id="same-name-elsewhere",
        ),
        pytest.param(["t = time.time()\nt - time.time()", "t = 1\nuse(t)"], id="bound-anew"),
        pytest.param(
            [CLOCK_IN_A_CLASS],
            id="attribute",
        ),
        pytest.param(["time.strftime('%Y', t); time.localtime(0); use(pd.Timestamp('2020'))"],
            id="given-times"),
        pytest.param(["t = t1 = time.time()\nt = t - t1"], id="assigned-to-itself"),
    ],
)  # fmt: skip
def test_current_time_for_timing_is_left_alone(sources: list[str]) -> None:
    assert of_code("current-time", DATETIME, *sources) == []


def test_environment_variables_are_found_each_once() -> None:
    first, second, third = of_code(
        "environment-variable",
        "import os\nfrom os import environ as e\nos.environ['A']\ne['A']",
        "os.getenv('B')",
        "e.get('C', '')",
    )

    assert ("`A`" in first.message, first.cell, first.line) == (True, 2, 3)
    assert ("`B`" in second.message, second.cell) == (True, 3)
    assert ("`C`" in third.message, third.cell) == (True, 4)


def test_environment_variables_that_are_set_or_are_secrets_are_left_alone() -> None:
    sources = (
        "import os\nos.environ['A'] = '1'\nos.environ.setdefault('C', '')",
        "os.environ['A']; os.getenv('C'); os.environ['TOKEN']; os.getenv(name); os.environ",
    )

    assert (
        of_code("environment-variable", *sources, metadata={"nb2prod": {"secrets": ["TOKEN"]}})
        == []
    )


@pytest.mark.parametrize(
    ("sources", "cells"),
    [
        pytest.param(["x = input('?')"], [2], id="input"),
        pytest.param(["import getpass as g\ng.getpass()"], [2], id="getpass"),
        pytest.param(
            ["def ask(): return input()", "ask()"], [2], id="in-a-function-that-is-called"
        ),
        pytest.param(["def ask(): return input()"], [], id="never-called"),
        pytest.param(
            ["input = open('x')\ninput.read()", "def f(input): input()"], [], id="ones-own"
        ),
    ],
)
def test_input_is_found(sources: list[str], cells: list[int]) -> None:
    assert [item.cell for item in of_code("input-asked", *sources)] == cells
