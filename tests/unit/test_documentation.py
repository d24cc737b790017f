"""What the documents say is so: links lead somewhere, commands exist, terms are one."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

from tests.unit.test_architecture import modules

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted({ROOT / "README.md", *(ROOT / "docs").rglob("*.md")})
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
COMMAND = re.compile(r"(?:\$ |`)(nb2prod [a-z]+|make [a-z-]+)")


def document_ids() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in DOCUMENTS]


@pytest.mark.parametrize("path", DOCUMENTS, ids=document_ids())
def test_document_links_lead_to_files(path: Path) -> None:
    targets = [match[1] for match in LINK.finditer(path.read_text())]
    local = [target for target in targets if "://" not in target]

    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=document_ids())
def test_document_commands_exist(path: Path) -> None:
    from typer.main import get_command

    from nb2prod.cli.main import app

    known = {f"nb2prod {name}" for name in getattr(get_command(app), "commands", {})}
    makefile = (ROOT / "Makefile").read_text()
    known |= {f"make {name}" for name in re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)}

    assert {match[1] for match in COMMAND.finditer(path.read_text())} - known == set()


def importable_modules() -> list[str]:
    """All modules but those that Alembic, or Python as a program, runs."""
    return [
        name for name in sorted(modules()) if "migrations" not in name and "__main__" not in name
    ]


@pytest.mark.parametrize("module", importable_modules())
def test_docstring_examples_are_true(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_every_decision_record_has_its_four_parts() -> None:
    for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"):
        headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)

        assert headings == ["Context", "Decision", "Rejected", "Consequences"], path.name


@pytest.mark.parametrize(
    "room", ["store", "workspace", "notebook", "export", "registry", "execution", "knowledge"]
)
def test_public_names_of_a_room_are_there(room: str) -> None:
    said = importlib.import_module(f"nb2prod.{room}").__doc__ or ""
    names = re.findall(r"`([a-z_]+)\.([A-Za-z_]+)`", said)

    assert names
    for module, name in names:
        assert hasattr(importlib.import_module(f"nb2prod.{room}.{module}"), name), (module, name)
