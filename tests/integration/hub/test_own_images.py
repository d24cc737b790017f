"""Images of the repository's own at a start: brought up to date, or a word that they are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from nb2prod_hub.images import ensure_image

import nb2prod
from nb2prod.errors import ImageMissing
from nb2prod.jobs.docker_client import DockerEngine

BASE = f"nb2prod/base:{nb2prod.__version__}"
TORCH = f"nb2prod/torch:{nb2prod.__version__}"

Repository = Callable[[str], Path]


class FullEngine(DockerEngine):
    """An engine that has every image."""

    def __init__(self) -> None:
        super().__init__(api=None)

    def image_id(self, name: str) -> str:
        return f"sha256:{name}"


class EmptyEngine(FullEngine):
    """An engine that has no image."""

    def image_id(self, name: str) -> str:
        raise ImageMissing(f"The image {name} is not on this machine.")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository whose script for images is a program of the test's."""

    def make(program: str) -> Path:
        script = tmp_path / "scripts" / "images.sh"
        script.parent.mkdir()
        script.write_text(f"#!/usr/bin/env bash\n{program}\n")
        script.chmod(0o755)
        monkeypatch.setattr(nb2prod, "__file__", str(tmp_path / "nb2prod" / "__init__.py"))
        return tmp_path

    return make


@pytest.mark.parametrize(("image", "name"), [(BASE, "base"), (TORCH, "torch")])
def test_image_that_is_here_is_brought_up_to_date_with_the_environment_of_the_start(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    image: str,
    name: str,
) -> None:
    root = repository('echo "$PWD $* $PIP_FIND_LINKS $SSL_CERT_FILE"')
    monkeypatch.setenv("PIP_FIND_LINKS", "/srv/wheels")
    monkeypatch.setenv("SSL_CERT_FILE", "/srv/ca.crt")

    ensure_image(FullEngine(), image)

    assert capfd.readouterr().out == f"{root} {name} /srv/wheels /srv/ca.crt\n"


def test_image_that_is_here_and_can_not_be_made_anew_is_used_and_said_to_be_old(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    repository("echo no space left >&2; exit 1")

    ensure_image(FullEngine(), BASE)

    said = capfd.readouterr()
    assert "could not be brought up to date" in said.out + said.err
    assert "no space left" in said.err


def test_image_that_is_missing_and_can_not_be_made_is_an_error(repository: Repository) -> None:
    repository("exit 1")

    with pytest.raises(ImageMissing, match="can't be made"):
        ensure_image(EmptyEngine(), BASE)


@pytest.mark.parametrize("image", ["team/image:3", "nb2prod/base:0.0.1", "nb2prod/other:1"])
def test_image_that_the_repository_does_not_make_is_only_looked_for(
    repository: Repository, capfd: pytest.CaptureFixture[str], image: str
) -> None:
    repository("echo called")

    ensure_image(FullEngine(), image)
    with pytest.raises(ImageMissing, match="is not on this machine"):
        ensure_image(EmptyEngine(), image)

    assert capfd.readouterr().out == ""


def test_image_of_an_installed_nb2prod_is_only_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nb2prod, "__file__", str(tmp_path / "nb2prod" / "__init__.py"))

    ensure_image(FullEngine(), BASE)
    with pytest.raises(ImageMissing, match="is not on this machine"):
        ensure_image(EmptyEngine(), BASE)
