"""Which of a project's modules a notebook takes along, and what declares its environment."""

from __future__ import annotations

import pytest

from nb2prod.registry.contents import needed_files
from nb2prod.registry.declaration import find_declaration
from nb2prod.registry.local_modules import MAX_FILES, LocalModules, find_local_modules
from nb2prod.registry.project_files import MAX_FILE_BYTES, GivenFiles
from nb2prod.registry.requirements import LineKind
from tests.helpers.notebooks import code, notebook


def found(
    files: dict[str, str], *sources: str, directory: str = ".", installed: tuple[str, ...] = ()
) -> LocalModules:
    return find_local_modules(
        notebook(*map(code, sources)),
        GivenFiles(contents={path: text.encode() for path, text in files.items()}),
        directory=directory,
        installed=installed,
    )


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("import a", ["a.py"]),
        ("from a import x", ["a.py"]),
        ("import pkg.deep.leaf", ["pkg/__init__.py", "pkg/data.json", "pkg/deep/leaf.py"]),
        ("from pkg import deep", ["pkg/__init__.py", "pkg/data.json", "pkg/deep/leaf.py"]),
        ("import plain.one", ["plain/one.py", "plain/two.py"]),
        ("from plain import two", ["plain/two.py"]),
        ("import plain", []),
        ("try:\n    import a\nexcept ImportError:\n    a = None", ["a.py"]),
        ("def f():\n    import a", ["a.py"]),
        ("import uses", ["a.py", "uses.py"]),
        ("%%time\nimport a", ["a.py"]),
        ("%run a", ["a.py"]),
        ("%run -i 'a.py' --fast", ["a.py"]),
        ("import json, random", []),
        ("import absent", []),
        ("import importlib\nimportlib.import_module('a')", ["a.py"]),
        ("%%writefile a.py\nx = 2", []),
        ("import ümläut", ["ümläut.py"]),
        ("!python a.py", []),
    ],
)
def test_modules_that_are_kept(source: str, kept: list[str]) -> None:
    files = {
        "a.py": "x = 1",
        "ümläut.py": "",
        "random.py": "",
        "uses.py": "import a\nimport numpy",
        "pkg/__init__.py": "",
        "pkg/data.json": "{}",
        "pkg/deep/leaf.py": "",
        "plain/one.py": "from . import two",
        "plain/two.py": "",
        "unused.py": "",
    }

    modules = found(files, source)

    assert [item.path for item in modules.kept] == kept
    assert [*modules.contents] == kept
    assert modules.unkept == ()


def test_module_that_the_notebook_writes_itself_is_not_kept() -> None:
    modules = found({"a.py": "old = 1"}, "%%writefile a.py\nnew = 1", "import a")

    assert modules.kept == ()


@pytest.mark.parametrize(
    ("files", "source", "name", "reason"),
    [
        ({"a.py": "HERE = __file__"}, "import a", "a", "`__file__`"),
        ({"a.py": "x" * (MAX_FILE_BYTES + 1)}, "import a", None, ""),
        (
            {"p/__init__.py": "", **{f"p/m{n}.py": "" for n in range(MAX_FILES)}},
            "import p",
            "p",
            f"more than {MAX_FILES} files",
        ),
        (
            {"p/__init__.py": "", **{f"p/m{n}.bin": "x" * 4_000_000 for n in range(3)}},
            "import p",
            "p",
            "more than 10 MB",
        ),
        ({"o.ipynb": "{}"}, "%run o.ipynb", "o.ipynb", "notebook"),
        ({}, "%run ../o.py", "../o.py", "outside"),
    ],
)
def test_what_cannot_be_kept_says_why(
    files: dict[str, str], source: str, name: str | None, reason: str
) -> None:
    modules = found(files, source)

    assert modules.kept == ()
    assert [(item.name, reason in item.reason) for item in modules.unkept] == (
        [] if name is None else [(name, True)]
    )


def test_installed_package_comes_before_what_a_cell_appends_but_not_before_the_folder() -> None:
    files = {"nb/tools.py": "", "lib/tools.py": "", "lib/other.py": "", "lib/more/x.py": ""}
    source = "import sys\nsys.path.append('../lib')\nimport tools, other\nimport more.x"

    there = found(files, source, directory="nb", installed=("tools", "other", "more"))
    alone = found(files, source, directory="nb")

    assert [item.source for item in there.kept] == ["nb/tools.py"]
    assert [item.source for item in alone.kept] == ["lib/more/x.py", "lib/other.py", "nb/tools.py"]


def test_what_modules_import_of_others_is_told_with_its_place() -> None:
    modules = found(
        {"a.py": "import b\nimport json\n", "b.py": "\nimport numpy.linalg"}, "import a"
    )

    foreign = [(path, item.module, item.line) for path, item in modules.imports]
    assert foreign == [("b.py", "numpy.linalg", 2), ("a.py", "json", 2)]


def test_modules_that_import_each_other_come_to_an_end() -> None:
    modules = found({"a.py": "import b", "b.py": "import a"}, "import a")

    assert [item.path for item in modules.kept] == ["a.py", "b.py"]


def test_needed_files_are_enough_to_find_the_same_again() -> None:
    files = GivenFiles(
        contents={
            "nb/p/__init__.py": b"from . import inner",
            "nb/p/inner.py": b"",
            "nb/p/table.bin": b"\xff\x00",
            "nb/unused.py": b"",
            "pyproject.toml": b"[project]\nname = 'x'\ndependencies = ['six']",
        }
    )
    source = notebook(code("import p"))

    again = GivenFiles(contents=needed_files(source, files, "nb"))

    assert "nb/unused.py" not in again.contents
    both = [
        find_local_modules(source, item, directory="nb", installed=()) for item in (files, again)
    ]
    assert both[0] == both[1]
    assert both[0].contents["p/table.bin"] == b"\xff\x00"
    assert find_declaration(again, "nb") == find_declaration(files, "nb")


@pytest.mark.parametrize(
    ("files", "path", "said"),
    [
        ({"requirements.txt": "six"}, "requirements.txt", ["six"]),
        ({"nb/requirements.txt": "six", "requirements.txt": "x"}, "nb/requirements.txt", ["six"]),
        (
            {"pyproject.toml": "[tool.ruff]", "requirements.txt": "six"},
            "requirements.txt",
            ["six"],
        ),
        (
            {"pyproject.toml": "[project]\ndynamic = ['dependencies']", "requirements.txt": "six"},
            "requirements.txt",
            ["six"],
        ),
        (
            {
                "pyproject.toml": "[project]\ndependencies = ['six']\n[dependency-groups]\n"
                "more = ['idna', {include-group = 'base'}]\nbase = ['attrs']\n"
                "[tool.nb2prod]\nenvironment = 'more'"
            },
            "pyproject.toml",
            ["six", "idna", "attrs"],
        ),
        (
            {"requirements.txt": "-r deep/a.txt", "deep/a.txt": "six\n-c ../c.txt", "c.txt": "x<3"},
            "requirements.txt",
            ["six"],
        ),
        (
            {"pyproject.toml": "[project]\nname = 'x'", "requirements.txt": "six"},
            "requirements.txt",
            ["six"],
        ),
        ({"other.txt": "six"}, None, []),
    ],
)
def test_nearest_declaration_is_read(
    files: dict[str, str], path: str | None, said: list[str]
) -> None:
    given = GivenFiles(contents={name: text.encode() for name, text in files.items()})

    declaration = find_declaration(given, "nb")

    if declaration is None:
        assert path is None
        return
    assert (declaration.path, declaration.trouble) == (path, "")
    wanted = [line for line in declaration.lines if line.kind is LineKind.REQUIREMENT]
    assert [line.text for line in wanted] == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[project", "no TOML"),
        ("[project]\ndynamic = ['dependencies']", "when it is built"),
        ("[project]\nname = 'x'\n[tool.nb2prod]\nenvironment = 'absent'", "neither an extra nor"),
        ("[project]\ndependencies = ['what is this']", "what is this"),
    ],
)
def test_declaration_that_cannot_be_read_says_so(text: str, words: str) -> None:
    declaration = find_declaration(GivenFiles(contents={"pyproject.toml": text.encode()}), ".")

    assert declaration is not None
    assert words in declaration.trouble


def test_order_and_comments_are_no_other_declaration() -> None:
    def digest(text: str) -> str:
        files = GivenFiles(contents={"requirements.txt": text.encode()})
        declaration = find_declaration(files, ".")
        assert declaration is not None
        return declaration.sha256

    assert digest("six\nidna") == digest("idna  # first\n\nsix")
    assert digest("six\nidna") != digest("six==1\nidna")
