"""Which files a notebook reads and writes, seen from a real kernel."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from nb2prod.execution.events import Event, FilesSeen
from nb2prod.execution.models import ArtifactKind, FileAccess, FileUse, RunRecord, RunStatus
from tests.helpers.kernels import Bench, open_bench
from tests.helpers.notebooks import code

# MLflow's own use of its libraries; ours stay errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    shared = tmp_path_factory.getbasetemp() / "mlflow.db"
    with open_bench(tmp_path_factory.mktemp("lineage"), mlflow=shared) as opened:
        yield opened


def uses(record: RunRecord) -> dict[str, str]:
    return {use.path: use.access.value for use in record.files}


def test_files_that_python_opens_are_hashed(bench: Bench) -> None:
    root = bench.repository.root
    (root / "data").mkdir()
    for name in ("read.csv", "changed.csv", "updated.csv", "link-target.csv"):
        (root / "data" / name).write_text(f"{name}\n1\n")
    (root / "data" / "link.csv").symlink_to("link-target.csv")
    (root / "data" / "out.csv").symlink_to("/etc/hostname")
    (root / "features.py").write_text("value = 1\n")
    (root / "venv").mkdir()
    (root / "venv" / "pyvenv.cfg").write_text("")
    (root / "venv" / "inside.txt").write_text("x")
    (root / ".git" / "looked").write_text("x")

    def let_go_on(event: Event) -> None:
        if isinstance(event, FilesSeen):
            (root / ".git" / "hashed").touch()

    record = bench.run(
        code(
            "import os, sys\nsys.path.insert(0, '.')\nsys.dont_write_bytecode = True\n"
            "import features\n"
            "for name in ('read', 'changed', 'link', 'out'):\n"
            "    open(f'data/{name}.csv').read()\n"
            "open('venv/inside.txt').read(); open('.git/looked').read(); open('/etc/hosts').read()"
        ),
        code(
            "import pathlib, subprocess, time\n"
            "while not os.path.exists('.git/hashed'): time.sleep(0.01)\n"
            "with open('data/updated.csv', 'r+') as file: file.write('new')\n"
            "# Somebody else, as far as the probe can tell.\n"
            "subprocess.run(['sh', '-c', 'echo other > data/changed.csv'], check=True)\n"
            "pathlib.Path('part.tmp').write_text('whole'); os.replace('part.tmp', 'whole.txt')\n"
            "pathlib.Path('gone.txt').write_text('x'); os.remove('gone.txt')\n"
            "kept = open('unclosed.txt', 'w'); kept.write('held back')\n"
            "try: open('nowhere.csv')\nexcept FileNotFoundError: pass"
        ),
        listener=let_go_on,
    )

    assert record.status is RunStatus.SUCCEEDED
    assert record.is_lineage_complete
    assert uses(record) == {
        "data/changed.csv": "read",
        "data/link.csv": "read",
        "data/read.csv": "read",
        "data/updated.csv": "written",
        "features.py": "read",
        "gone.txt": "written",
        "unclosed.txt": "written",
        "whole.txt": "written",
    }
    by_path = {use.path: use for use in record.files}
    assert by_path["data/read.csv"] == FileUse(
        path="data/read.csv",
        access=FileAccess.READ,
        sha256=hashlib.sha256(b"read.csv\n1\n").hexdigest(),
        size_bytes=11,
    )
    changed = by_path["data/changed.csv"]
    assert changed.is_changed
    assert changed.sha256 == hashlib.sha256(b"changed.csv\n1\n").hexdigest()
    assert by_path["gone.txt"].sha256 is None
    artifacts = {item.name: item for item in record.artifacts}
    assert set(artifacts) == {"data/updated.csv", "whole.txt", "unclosed.txt"}
    assert bench.workspace.blobs.get(artifacts["unclosed.txt"].sha256) == b"held back"


def test_native_readers_and_writers_are_seen(bench: Bench) -> None:
    record = bench.run(
        code(
            "import pandas as pd, pyarrow.dataset as dataset, pyarrow.parquet as parquet\n"
            "table = pd.DataFrame({'part': [1, 2], 'seats': [3, 4]})\n"
            "table.to_parquet('one.parquet')\n"
            "table.to_feather('one.feather')\n"
            "table.to_parquet('parts', partition_cols=['part'])"
        ),
        name="writes",
    )
    parts = {path for path in uses(record) if path.startswith("parts/")}
    assert {path.split("/")[1] for path in parts} == {"part=1", "part=2"}
    assert set(uses(record)) == {"one.parquet", "one.feather", *parts}
    assert set(uses(record).values()) == {"written"}
    assert {item.kind for item in record.artifacts} == {ArtifactKind.TABLE}

    record = bench.run(
        code(
            "import pandas as pd, pyarrow.dataset as dataset, pyarrow.parquet as parquet\n"
            "pd.read_parquet('one.parquet'); pd.read_feather('one.feather')\n"
            "dataset.dataset('parts').to_table()"
        ),
        name="reads",
    )
    assert uses(record) == dict.fromkeys(["one.parquet", "one.feather", *parts], "read")
    assert all(use.sha256 for use in record.files)


def test_torch_model_is_an_artifact_though_torch_writes_it_natively(bench: Bench) -> None:
    record = bench.run(
        code("import torch\ntorch.save({'weights': torch.zeros(2)}, 'net.pt')"), name="torch"
    )

    assert uses(record) == {"net.pt": "written"}
    assert [item.kind for item in record.artifacts] == [ArtifactKind.MODEL]


def test_forked_children_are_seen_too(bench: Bench) -> None:
    (bench.repository.root / "child.txt").write_text("x")
    record = bench.run(
        code(
            "import multiprocessing\n"
            "def read(name):\n    return open(name).read()\n"
            "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
            "    print(pool.map(read, ['child.txt']))"
        ),
        name="forks",
    )

    assert uses(record) == {"child.txt": "read"}


def test_database_counts_as_written_only_if_it_changed(bench: Bench) -> None:
    import contextlib
    import sqlite3

    for name in ("asked.db", "by-uri.db", "filled.db"):
        with contextlib.closing(sqlite3.connect(bench.repository.root / name)) as database:
            database.execute("CREATE TABLE seats (n)")
    record = bench.run(
        code(
            "import sqlite3\nsqlite3.connect('asked.db').execute('SELECT * FROM seats')\n"
            "filled = sqlite3.connect('filled.db')\n"
            "filled.execute('INSERT INTO seats VALUES (1)')\nfilled.commit()\n"
            "sqlite3.connect('file:by-uri.db?mode=ro', uri=True).execute('SELECT * FROM seats')"
        ),
        name="database",
    )

    assert uses(record) == {"asked.db": "read", "by-uri.db": "read", "filled.db": "written"}


def test_probe_leaves_nothing_in_the_notebook(bench: Bench) -> None:
    record = bench.run(
        code(
            "print(sorted(name for name in globals() if 'nb2prod' in name.lower()),"
            " globals()['In'], globals()['Out'])\n"
            "print(open.__module__)"
        ),
        name="clean",
    )

    first = bench.printed(record).splitlines()[0]
    assert first.startswith("[] ['', \"print(sorted")
    assert first.endswith("{}")
    assert record.cells[0].execution_count == 1


def test_machine_is_the_kernels(bench: Bench) -> None:
    record = bench.run(
        code("import os, platform\nprint(platform.python_version(), platform.node())"),
        name="machine",
    )

    assert record.machine is not None
    assert bench.printed(record).split() == [record.machine.python, record.machine.host]
    assert record.machine.cpu_count >= 1
    assert record.machine.cpu
