"""What `make up` says on a machine that lacks something: one sentence, and a status not 0."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
BASICS = ("bash", "df", "tail", "tr", "id", "mktemp", "rm")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with a shell and little else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in BASICS:
        found = next(
            Path(place, name)
            for place in os.environ["PATH"].split(":")
            if Path(place, name).is_file()
        )
        (folder / name).symlink_to(found)
    return folder


def fake(folder: Path, name: str, text: str) -> None:
    """Put a program of our own on the bare PATH."""
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_text(f"#!/bin/bash\n{text}\n")
    (folder / name).chmod(0o755)


def run(
    script: str, *arguments: str, path: Path, cwd: Path, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(path / "bash"), str(SCRIPTS / script), *arguments],
        cwd=cwd,
        env={"PATH": str(path), "TMPDIR": str(cwd), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_missing_tools_are_named_with_the_one_command_that_installs_them(
    bare_path: Path, tmp_path: Path
) -> None:
    done = run("system.sh", "git", "npm", "chromium", path=bare_path, cwd=tmp_path, SETUP="0")

    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "git npm chromium" in sentence
    assert "sudo apt-get install" in sentence


def test_missing_tools_are_installed_only_as_root(bare_path: Path, tmp_path: Path) -> None:
    fake(bare_path, "id", "echo 1000")
    fake(bare_path, "apt-get", f"touch {tmp_path}/called")

    done = run("system.sh", "git", path=bare_path, cwd=tmp_path)

    assert done.returncode == 1
    assert not (tmp_path / "called").exists()


def test_missing_tools_are_installed_as_root_and_it_is_said(
    bare_path: Path, tmp_path: Path
) -> None:
    fake(bare_path, "id", "echo 0")
    fake(
        bare_path,
        "apt-get",
        f'[ "$1" = update ] || {{ echo "#!/bin/bash" > {bare_path}/git;'
        f" /bin/chmod +x {bare_path}/git; }}",
    )

    done = run("system.sh", "git", path=bare_path, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "Installing what is missing on this machine: git" in done.stdout


def test_install_that_fails_says_why(bare_path: Path, tmp_path: Path) -> None:
    fake(bare_path, "id", "echo 0")
    fake(bare_path, "apt-get", "echo 'E: no such package' >&2; exit 100")

    done = run("system.sh", "git", path=bare_path, cwd=tmp_path)

    assert done.returncode == 1
    assert "E: no such package" in done.stderr
    assert "Could not install git" in done.stderr


def test_nothing_missing_is_silent(bare_path: Path, tmp_path: Path) -> None:
    fake(bare_path, "git", "true")

    done = run("system.sh", "git", path=bare_path, cwd=tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_full_disk_is_said_before_anything_is_fetched(bare_path: Path, tmp_path: Path) -> None:
    fake(bare_path, "df", "echo Avail; echo 120")

    done = run("setup-python.sh", path=bare_path, cwd=tmp_path)

    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "No space left" in sentence
    assert "120 MB are free" in sentence
    assert not (tmp_path / ".venv").exists()
