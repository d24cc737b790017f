"""Translators of magics that define, show or forget names, and of calls without brackets."""

from __future__ import annotations

import itertools
import shlex
from pathlib import PurePath

from nb2prod.export.escape_translation import Around, Refused, assigned, refuse_target
from nb2prod.export.interpolation import expanded, quoted
from nb2prod.notebook.ipython_syntax import Escape


def run_file(escape: Escape, around: Around) -> list[str]:
    """``%run file.py arguments``, and ``%run -i``, ``-n``."""
    refuse_target(escape)
    try:
        words = shlex.split(escape.argument)
    except ValueError:
        raise Refused(f"`%run {escape.argument}` is not understood", "Mend its quotes.") from None
    flags = list(itertools.takewhile(lambda word: word.startswith("-"), words))
    path, *arguments = words[len(flags) :] or [""]
    if not path or set(flags) - {"-i", "-n"}:
        raise Refused(
            f"`%run {escape.argument}` has options without a translation",
            "Move what is needed into a module, and import it.",
        )
    if path.endswith(".ipynb"):
        raise Refused(
            f"it runs another notebook, {path}",
            "Move what is needed of it into a module, and import that.",
        )
    given = [expanded(path, around.names)]
    if arguments or flags:
        given.append(f"[{', '.join(expanded(word, around.names) for word in arguments)}]")
    given += ["namespace=globals()"] if "-i" in flags else []
    given += [f"name={quoted(PurePath(path).stem)}"] if "-n" in flags else []
    return [f"globals().update(_nb2prod_run({', '.join(given)}))"]


def pylab(escape: Escape, _around: Around) -> list[str]:
    """``%pylab inline``."""
    refuse_target(escape)
    stars = ["from matplotlib.pylab import *", "from numpy import *"]
    return [
        "import matplotlib",
        "import numpy",
        "from matplotlib import mlab, pylab, pyplot",
        "np, plt = numpy, pyplot",
        *([] if "--no-import-all" in escape.argument else stars),
    ]


def precision(escape: Escape, around: Around) -> list[str]:
    """``%precision 3``, ``%precision %.2e``."""
    return [assigned(escape, f"_nb2prod_precision({quoted(escape.argument.strip())})", around)]


def reset(escape: Escape, around: Around) -> list[str]:
    """``%reset -f``."""
    refuse_target(escape)
    if not set(escape.argument.split()) & {"-f", "-sf", "-fs"}:
        raise Refused("%reset asks before it does anything", "Delete the line.")
    return [] if around.is_first else ["_nb2prod_reset()"]


def delete_names(escape: Escape, _around: Around) -> list[str]:
    """``%xdel name``."""
    name = escape.argument.removeprefix("-n").strip()
    if not name.isidentifier():
        raise Refused(f"`%xdel {escape.argument}` is not understood", "Write `del name`.")
    return [f"del {name}"]


def automatic_call(escape: Escape, around: Around) -> list[str]:
    """``/f a b``, ``,f a b`` and ``;f a b``: calls without brackets, or without quotes."""
    function, _, rest = escape.argument.partition(" ")
    rest = rest.strip()
    if not all(map(str.isidentifier, function.split("."))):
        raise Refused(
            f"a line that begins with `{escape.name}` is IPython's automatic call",
            "Write the call with its brackets.",
        )
    if escape.name == ",":
        rest = ", ".join(map(quoted, rest.split()))
    elif escape.name == ";":
        rest = quoted(rest)
    else:
        rest = ", ".join(rest.split())
    return [assigned(escape, f"{function}({rest})", around)]
