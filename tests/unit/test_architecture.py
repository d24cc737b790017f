"""The folders are the architecture: who may import whom, and no cycles (DESIGN §3)."""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A room may import itself and what stands before it in this order; shells import all.
ROOMS = (
    ("nb2prod_kernels",),
    ("errors", "settings"),
    ("remote",),
    ("store",),
    ("workspace",),
    ("notebook",),
    ("export",),
    ("registry",),
    ("execution",),
    ("knowledge",),
    ("jobs",),
    ("server", "cli"),
    ("nb2prod_lab", "nb2prod_hub"),
)
PACKAGES = {
    "nb2prod": ROOT / "nb2prod",
    "nb2prod_kernels": ROOT / "kernels/nb2prod_kernels",
    "nb2prod_hub": ROOT / "hub/nb2prod_hub",
    "nb2prod_lab": ROOT / "extensions/lab/nb2prod_lab",
}
# A shell has no logic of its own, so few have a use for it; who may import each, beside itself.
SHELLS = {
    "server": {"server", "cli", "nb2prod_hub"},
    "cli": {"cli", "nb2prod_hub"},
    "nb2prod_hub": {"nb2prod_hub"},
    "nb2prod_lab": {"nb2prod_lab"},
}
# pyzmq is in every kernel's environment, where the probe runs.
KERNELS_MAY_IMPORT = {"jupyter_client", "nb2prod_kernels", "zmq"}


def modules() -> dict[str, Path]:
    """All modules of the product by dotted name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = (package, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports_of(source: str) -> set[str]:
    """Every module that a source imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            base = node.module or ""
            names.update(f"{base}.{alias.name}" for alias in node.names)
            names.add(base)
    return names


def room_of(module: str) -> str | None:
    """The room a module is in; `None` for others' packages and for `nb2prod` itself."""
    parts = module.split(".")
    if parts[0] in PACKAGES and parts[0] != "nb2prod":
        return parts[0]
    return parts[1] if parts[0] == "nb2prod" and len(parts) > 1 else None


def rank_of(room: str) -> int:
    """The place of a room in the order."""
    return next(index for index, rooms in enumerate(ROOMS) if room in rooms)


def violations(module: str, source: str) -> list[str]:
    """The imports of a module that go against the arrows."""
    room = room_of(module)
    if room is None:
        return []
    wrong = []
    for name in imports_of(source):
        target = room_of(name)
        known = target is not None and any(target in rooms for rooms in ROOMS)
        if known and target is not None and rank_of(target) > rank_of(room):
            wrong.append(name)
        if known and target in SHELLS and room not in SHELLS[target]:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("module", sorted(modules()))
def test_module_imports_follow_the_arrows(module: str) -> None:
    assert violations(module, modules()[module].read_text()) == []


def test_violations_of_a_planted_import_are_seen() -> None:
    planted = "def f():\n    from nb2prod.execution.runs import get_run\n"

    assert set(violations("nb2prod.notebook.planted", planted)) == {
        "nb2prod.execution.runs",
        "nb2prod.execution.runs.get_run",
    }


def test_every_room_has_a_place_in_the_order() -> None:
    rooms = {room for module in modules() if (room := room_of(module)) is not None}

    assert rooms == {room for rooms in ROOMS for room in rooms}


def test_modules_import_each_other_without_cycles() -> None:
    known = modules()
    graph = {
        module: {name for name in imports_of(path.read_text()) if name in known and name != module}
        for module, path in known.items()
    }

    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"cycle: {' → '.join(error.args[1])}")
    assert set(order) == set(known)


def test_kernels_import_only_the_standard_library_and_jupyter_client() -> None:
    foreign = {
        name.split(".")[0]
        for module, path in modules().items()
        if module.startswith("nb2prod_kernels")
        for name in imports_of(path.read_text())
    }

    assert foreign - set(sys.stdlib_module_names) <= KERNELS_MAY_IMPORT
