"""What becomes of IPython's own syntax in a script: one table, a row for each magic."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from nb2prod.export import code_magics as code
from nb2prod.export import shell_magics as system
from nb2prod.export import timing_magics as timing
from nb2prod.export.escape_translation import Refused, Translator, shown
from nb2prod.notebook.ipython_syntax import Escape, EscapeKind


class Action(StrEnum):
    """What is done with a piece of IPython's syntax."""

    TRANSLATE = "translate"
    DROP = "drop"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class Magic:
    """One row of the table.

    Parameters
    ----------
    name
        As in `Escape.name`.
    example
        A cell that shows it; a test translates it.
    summary
        What stands in its place; for a dropped one why nothing does; for a refused one the
        way out.
    translate, end
        For a translated one: what stands in its place; for ``%%time`` and the like: before and
        behind the rest of the cell.
    code
        Of the finding, for a refused one.
    """

    kind: EscapeKind
    name: str
    action: Action
    example: str
    summary: str
    translate: Translator | None = None
    end: Translator | None = None
    code: str = "magic-refused"


_LINE, _CELL = EscapeKind.LINE_MAGIC, EscapeKind.CELL_MAGIC


def _translated(
    kind: EscapeKind,
    name: str,
    example: str,
    summary: str,
    translate: Translator,
    end: Translator | None = None,
) -> Magic:
    return Magic(
        kind=kind,
        name=name,
        action=Action.TRANSLATE,
        example=example,
        summary=summary,
        translate=translate,
        end=end,
    )


def _dropped(kind: EscapeKind, name: str, example: str, why: str) -> Magic:
    return Magic(kind=kind, name=name, action=Action.DROP, example=example, summary=why)


def _refused(
    kind: EscapeKind, name: str, example: str, way_out: str, code: str = "magic-refused"
) -> Magic:
    return Magic(
        kind=kind, name=name, action=Action.REFUSE, example=example, summary=way_out, code=code
    )


_SHOWN_ONLY = "It only shows something to the person at the notebook."
_SETS_NOTEBOOK = "It sets up the notebook's display, which a script has not."
_EXTENSION = "It only brings magics, and those are judged one by one."
_EDITS_CELL = "It only puts code into the editor; a run of the cell does not run that code."
_OTHER_LANGUAGE = "Move the code into a file of its own language, and call it from Python."

MAGICS: tuple[Magic, ...] = (
    _translated(_LINE, "time", "%time total = sum(range(10))",
        "The statement, and its time is printed.", timing.time_statement),
    _translated(_CELL, "time", "%%time\ntotal = sum(range(10))",
        "The cell, and its time is printed.", timing.time_cell, timing.end_time_cell),
    _translated(_LINE, "timeit", "%timeit -n 2 -r 2 sum(range(10))",
        "The statement is run and measured by the module timeit.", timing.timeit_statement),
    _translated(_CELL, "timeit", "%%timeit -n 2 -r 2\nsum(range(10))",
        "The cell becomes a function, run and measured by the module timeit.", timing.timeit_cell),
    _translated(_CELL, "capture", "%%capture printed\nprint(1)",
        "What the cell prints is kept; the name has `stdout` and `stderr`.",
        timing.capture_cell, timing.end_capture_cell),
    _translated(EscapeKind.SHELL, "!", "files = !ls",
        "The shell's command by subprocess; what it prints is printed, or becomes a list of"
        " lines. `{expression}` and `$name` are filled in.", system.shell),
    _translated(EscapeKind.SHELL, "!!", "!!ls",
        "The lines that the shell's command prints, as a list.", system.shell),
    _translated(_LINE, "sx", "files = %sx ls", "As `!!`.", system.shell_lines),
    _translated(_LINE, "system", "files = %system ls", "As `!!`.", system.shell_lines),
    *(
        _translated(_LINE, name, f"%{name} {rest}".rstrip(),
            "The shell's command that IPython calls so, without colours.", system.shell_alias)
        for name, rest in (
            ("cat", "notes.txt"), ("cp", "a.csv b.csv"), ("ldir", ""), ("lf", ""), ("lk", ""),
            ("ll", "data"), ("ls", "-a"), ("lx", ""), ("mkdir", "-p out"),
            ("mv", "a.csv b.csv"), ("rm", "a.csv"), ("rmdir", "out"),
        )
    ),
    *(
        _translated(_CELL, name, f"%%{name}\n{program}",
            "The text goes to the program; what it prints is printed.", system.script_cell)
        for name, program in (
            ("bash", "echo hello"), ("perl", 'print "hello"'), ("pypy", "print(1)"),
            ("python", "print(1)"), ("python2", "print 1"), ("python3", "print(1)"),
            ("ruby", "puts 1"), ("sh", "echo hello"),
        )
    ),
    _translated(_CELL, "script", "%%script bash\necho hello",
        "The text goes to the program; what it prints is printed.", system.script_cell),
    *(
        _translated(_CELL, name, f"%%{name} notes.txt\nhello",
            "The text is written to the file.", system.write_file_cell)
        for name in ("writefile", "file")
    ),
    _translated(_LINE, "cd", "%cd ..", "The working directory is changed.", system.change_folder),
    _translated(_LINE, "pwd", "here = %pwd", "The working directory.", system.working_folder),
    _translated(_LINE, "env", "%env LEVEL=info", "The variable is set or read in os.environ.",
        system.environment),
    _translated(_LINE, "set_env", "%set_env LEVEL=info", "The variable is set in os.environ.",
        system.environment),
    _translated(_LINE, "run", "%run helpers.py 3",
        "The file runs as a program of its own, and what it has defined is there afterwards.",
        code.run_file),
    _translated(_LINE, "pylab", "%pylab inline",
        "The imports that it stands for, star imports too.", code.pylab),
    _translated(_LINE, "precision", "%precision 3",
        "Floats and numpy's arrays are shown with so many digits.", code.precision),
    _translated(_LINE, "reset", "%reset -f",
        "The names are deleted; nothing in a notebook's first cell.", code.reset),
    _translated(_LINE, "xdel", "%xdel table", "`del`.", code.delete_names),
    *(
        _translated(EscapeKind.AUTOCALL, name, example, "The call, with its brackets.",
            code.automatic_call)
        for name, example in (("/", "/print 1 2"), (",", ",print a b"), (";", ";print a b"))
    ),
    _dropped(_LINE, "matplotlib", "%matplotlib inline",
        "Figures are drawn without a window, and shown as a line of text."),
    *(
        _dropped(_LINE, name, f"%{name} {rest}".rstrip(), _SETS_NOTEBOOK)
        for name, rest in (
            ("colors", "nocolor"), ("config", "InlineBackend.figure_format = 'retina'"),
            ("doctest_mode", ""), ("gui", "qt"), ("logstart", ""), ("logstop", ""), ("pdb", "off"),
            ("pprint", ""), ("rehashx", ""), ("tensorflow_version", "2.x"), ("xmode", "Plain"),
        )
    ),
    *(
        _dropped(_LINE, name, f"%{name} {rest}".rstrip(), _EXTENSION)
        for name, rest in (
            ("aimport", "helpers"), ("autoreload", "2"), ("load_ext", "autoreload"),
            ("reload_ext", "autoreload"), ("unload_ext", "autoreload"),
        )
    ),
    *(
        _dropped(_LINE, name, f"%{name} {rest}".rstrip(), _SHOWN_ONLY)
        for name, rest in (
            ("connect_info", ""), ("dhist", ""), ("hist", ""), ("history", "-n 3"),
            ("less", "notes.txt"), ("lsmagic", ""), ("magic", ""), ("man", "ls"),
            ("more", "notes.txt"), ("page", "x"),
            ("pdef", "print"), ("pdoc", "print"), ("pfile", "print"), ("pinfo", "print"),
            ("pinfo2", "print"), ("psearch", "a*"), ("psource", "print"), ("pycat", "x.py"),
            ("quickref", ""), ("tb", ""), ("tensorboard", "--logdir x"),
            ("version_information", "numpy"), ("watermark", "-v"), ("who", ""), ("who_ls", ""),
            ("whos", ""),
        )
    ),
    *(
        _dropped(_LINE, name, f"%{name} other.py", _EDITS_CELL)
        for name in ("load", "loadpy", "recall")
    ),
    _dropped(_LINE, "debug", "%debug",
        "It looks at the last error, and a script ends with its first one."),
    *(
        _dropped(_CELL, name, f"%%{name}\n<b>hello</b>", _SHOWN_ONLY)
        for name in ("HTML", "SVG", "html", "javascript", "js", "latex", "markdown", "svg")
    ),
    _dropped(EscapeKind.HELP, "?", "print?", _SHOWN_ONLY),
    *(
        _translated(_LINE, name, f"if is_hosted:\n    %{name} install pandas",
            "Refused, since packages belong into the project's environment; below a condition a"
            " call that says so, if the script gets there.", system.installation)
        for name in ("conda", "mamba", "pip", "uv")
    ),
    _refused(_LINE, "store", "%store -r table",
        "Write the value to a file, and read it from there."),
    _refused(_LINE, "reset_selective", "%reset_selective -f x",
        "Delete names one by one, with `del`."),
    _refused(_LINE, "sql", "%sql SELECT 1",
        "Send the query by the database's Python package, as in pandas.read_sql."),
    _refused(_CELL, "sql", "%%sql\nSELECT 1",
        "Send the query by the database's Python package, as in pandas.read_sql."),
    _refused(_CELL, "bigquery", "%%bigquery table\nSELECT 1",
        "Send the query by google.cloud.bigquery."),
    _refused(_LINE, "R", "%R x <- 1", _OTHER_LANGUAGE),
    _refused(_CELL, "R", "%%R\nx <- 1", _OTHER_LANGUAGE),
    _refused(_CELL, "cython", "%%cython\ndef f(int n): return n",
        "Make it a package that is built, and import it."),
    *(
        _refused(kind, name, f"{'%' if kind is _LINE else '%%'}{name} f(1)",
            "Measure outside of the pipeline, or call the profiler's own functions.")
        for kind in (_LINE, _CELL)
        for name in ("lprun", "memit", "mprun", "prun")
    ),
)  # fmt: skip

_ROWS = {(row.kind, row.name): row for row in MAGICS}


def row_of(escape: Escape) -> Magic | None:
    """Return the row for an escape; `None` where the table has none."""
    return _ROWS.get((escape.kind, escape.name))


def has_line_magic(name: str) -> bool:
    """Whether the table has a line magic of this name."""
    return (_LINE, name) in _ROWS


def unknown(escape: Escape) -> Refused:
    """Return why an escape that is not in the table is refused."""
    if escape.name.startswith("%"):
        return Refused(
            f"%{escape.name} stands inside a cell, where IPython does not know it",
            "A cell magic must be the first line of its cell.",
        )
    return Refused(
        f"{shown(escape)} is not known here, so nobody can say what it does",
        "Write the same in plain Python.",
    )
