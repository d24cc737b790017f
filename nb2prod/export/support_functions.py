"""Small functions that a script carries, where a notebook has IPython.

`nb2prod.export.support` copies those that a script uses, text for text, and what they use. They
need nothing but the standard library, import inside themselves, and have names that no author
would choose, so that nothing of theirs gets into the way of the notebook's own names. Where a
script is opened as a notebook (there is ``get_ipython``), they leave the showing to the notebook.
"""

# mypy: ignore-errors


def _nb2prod_shell(command):
    """Run a command by the shell and print what it prints."""
    import subprocess
    import sys

    sys.stdout.flush()
    with subprocess.Popen(
        command,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()


def _nb2prod_shell_lines(command):
    """Run a command by the shell and return the lines that it prints."""
    import subprocess

    done = subprocess.run(
        command,
        check=False,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return done.stdout.splitlines()


def _nb2prod_install(command):
    """Say that a script installs nothing."""
    raise RuntimeError(
        f"A script installs no packages: put them into the environment. It was: {command}"
    )


def _nb2prod_script(program, text, check=True):
    """Give a text to a program as its input, and print what it prints."""
    import subprocess
    import sys

    sys.stdout.flush()
    done = subprocess.run(
        program, check=False, input=text, capture_output=True, text=True, errors="replace"
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if check:
        done.check_returncode()


def _nb2prod_run(path, arguments=(), namespace=None, name="__main__"):
    """Run a file of Python code as a program of its own; returns what it has defined."""
    import os
    import sys

    path = os.path.expanduser(path)
    here = os.path.dirname(os.path.abspath(globals().get("__file__", "")))
    # The version's own copy, where it has one, comes first.
    own = os.path.join(here, "modules", path)
    is_below = os.path.normpath(own).startswith(os.path.join(here, "modules", ""))
    places = [own, f"{own}.py", path, f"{path}.py"] if is_below else [path, f"{path}.py"]
    path = next(filter(os.path.isfile, places), path)
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    names = {"__builtins__": __builtins__} if namespace is None else namespace
    kept = {key: names.get(key) for key in ("__name__", "__file__")}
    names.update(__name__=name, __file__=path)
    sys_argv, sys.argv = sys.argv, [path, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    try:
        exec(code, names)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    finally:
        sys.argv = sys_argv
        del sys.path[0]
        names.update({key: value for key, value in kept.items() if value is not None})
    return {key: value for key, value in names.items() if not key.startswith("__")}


_nb2prod_timers = []


def _nb2prod_start_timer():
    """Begin to measure time."""
    import os
    import time

    _nb2prod_timers.append((time.perf_counter(), os.times()))


def _nb2prod_stop_timer():
    """Print the time since the last start."""
    import os
    import time

    start, before = _nb2prod_timers.pop()
    wall, now = time.perf_counter() - start, os.times()
    user, system = now.user - before.user, now.system - before.system
    times = [_nb2prod_duration(part) for part in (user, system, user + system)]
    print("CPU times: user {}, sys: {}, total: {}".format(*times))
    print(f"Wall time: {_nb2prod_duration(wall)}")


def _nb2prod_timeit(function, number=0, repeat=7):
    """Call a function many times and print how long a call takes."""
    import statistics
    import timeit

    timer = timeit.Timer(function)
    number = number or timer.autorange()[0]
    times = [time / number for time in timer.repeat(repeat, number)]
    mean, deviation = statistics.fmean(times), statistics.pstdev(times)
    print(
        f"{_nb2prod_duration(mean)} ± {_nb2prod_duration(deviation)} per loop"
        f" (mean ± std. dev. of {repeat} run{'s' * (repeat != 1)},"
        f" {number:,} loop{'s' * (number != 1)} each)"
    )


def _nb2prod_duration(seconds):
    """Write a time as people read it: 1.5 ms, 2min 3s."""
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}h " * bool(hours) + f"{minutes}min {rest}s"
    for unit, factor in (("s", 1), ("ms", 1e3), ("μs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


_nb2prod_captures = []


def _nb2prod_start_capture(stdout=True, stderr=True):
    """Keep what is printed from here on to ourselves."""
    import io
    import sys

    def show_error(*error):
        # A traceback must be seen, though nothing else is.
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        hook(*error)

    hook, sys.excepthook = sys.excepthook, show_error
    _nb2prod_captures.append((sys.stdout, sys.stderr, hook))
    if stdout:
        sys.stdout = io.StringIO()
    if stderr:
        sys.stderr = io.StringIO()


def _nb2prod_stop_capture():
    """Print again, and return what was kept."""
    import io
    import sys
    import types

    kept = [
        stream.getvalue() if isinstance(stream, io.StringIO) else ""
        for stream in (sys.stdout, sys.stderr)
    ]
    sys.stdout, sys.stderr, sys.excepthook = _nb2prod_captures.pop()
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")

    def show():
        sys.stdout.write(kept[0])
        sys.stderr.write(kept[1])

    return types.SimpleNamespace(stdout=kept[0], stderr=kept[1], outputs=[], show=show)


def _nb2prod_set_env(name, value):
    """Set a variable of the environment."""
    import os

    os.environ[name] = value
    print(f"env: {name}={value}")


def _nb2prod_get_env(name):
    """Return a variable of the environment."""
    import os

    return os.environ[name]


def _nb2prod_cd(folder, quiet=False):
    """Change the working directory."""
    import os

    try:
        os.chdir(os.path.expanduser(folder))
    except OSError as error:
        print(error)
    else:
        if not quiet:
            print(os.getcwd())


def _nb2prod_pwd():
    """Return the working directory."""
    import os

    return os.getcwd()


def _nb2prod_write_file(path, text, append=False):
    """Write a text to a file."""
    import os

    path = os.path.expanduser(path)
    if not os.path.exists(path):
        print(f"Writing {path}")
    else:
        print(f"{'Appending to' if append else 'Overwriting'} {path}")
    with open(path, "a" if append else "w", encoding="utf-8") as file:
        file.write(text)


def _nb2prod_precision(digits):
    """Set how floats are shown: a number of digits, or a format such as ``%.3e``."""
    import sys

    form = f"%.{int(digits)}f" if digits.isdigit() else digits or "%r"
    try:
        from IPython.lib.pretty import for_type
    except ImportError:
        return form
    for_type(float, lambda value, printer, cycle: printer.text(form % value))
    if "numpy" in sys.modules:
        given = {"precision": int(digits)} if digits.isdigit() else {"precision": 8}
        sys.modules["numpy"].set_printoptions(**given)
    return form


def _nb2prod_reset():
    """Forget all names that the notebook has defined."""
    for name in [name for name in globals() if not name.startswith("_") and name != "display"]:
        del globals()[name]


_nb2prod_loops = []


def _nb2prod_await(function):
    """Run an async function to its end, always on the same event loop."""
    import asyncio
    import concurrent.futures

    if not _nb2prod_loops:
        _nb2prod_loops.append(asyncio.new_event_loop())
    loop = _nb2prod_loops[0]
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return loop.run_until_complete(function())
    # Opened as a notebook, whose own loop runs in this thread.
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        return threads.submit(loop.run_until_complete, function()).result()


def _nb2prod_text(value):
    """Return the text by which a notebook shows a value."""
    import sys

    kind = type(value)
    builtin = ("builtins", "collections", "functools", "re", "types")
    is_plain = "__repr__" in vars(kind) and kind.__module__ not in builtin
    if kind in (bool, int, str) or (is_plain and not hasattr(kind, "_repr_pretty_")):
        return repr(value)
    if kind is float and "IPython.lib.pretty" not in sys.modules:
        return repr(value)
    try:
        from IPython.lib.pretty import pretty
    except ImportError:
        return repr(value)
    return pretty(value)


def _nb2prod_show(*values):
    """Print the value of a cell's last expression, as a notebook shows it."""
    import sys

    value = values if len(values) > 1 else values[0]
    if value is None:
        return
    if "get_ipython" in globals():
        display(value)
    elif sys.displayhook is not sys.__displayhook__:
        # Some packages print in a way of their own, as sympy's init_printing() asks for.
        sys.displayhook(value)
    else:
        print(_nb2prod_text(value))


_ = __ = ___ = ""
Out = {}
_nb2prod_shown = ["", "", ""]


def _nb2prod_remember(show):
    """Let `_`, `__` and `___` be the values that were shown last, as in a notebook."""

    def show_and_remember(*values):
        show(*values)
        value = values if len(values) > 1 else values[0]
        if value is None or "get_ipython" in globals():
            return
        names = ("_", "__", "___")
        # A notebook leaves them alone once the author has given one of them a value.
        is_ours = all(globals().get(name) is kept for name, kept in zip(names, _nb2prod_shown))
        _nb2prod_shown[:] = [value, *_nb2prod_shown[:2]]
        if is_ours:
            globals().update(zip(names, _nb2prod_shown))

    return show_and_remember


_nb2prod_figure_numbers = []


def _nb2prod_figures(*_arguments, **_options):
    """Show the figures that are open, and close them, as a notebook does after each cell.

    Each is named in a line of text; where NB2PROD_FIGURES names a folder, it is saved there.
    """
    import os
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None or "get_ipython" in globals():
        return
    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        print(repr(figure))
        folder = os.environ.get("NB2PROD_FIGURES")
        if folder:
            os.makedirs(folder, exist_ok=True)
            _nb2prod_figure_numbers.append(number)
            path = os.path.join(folder, f"{len(_nb2prod_figure_numbers)}.png")
            colour = figure.get_facecolor()
            figure.savefig(path, bbox_inches="tight", dpi=figure.dpi, facecolor=colour)
    pyplot.close("all")


def _nb2prod_set_up_figures():
    """Draw without a window, unless MPLBACKEND names a way with windows."""
    import os

    backend = os.environ.get("MPLBACKEND", "inline")
    if "get_ipython" in globals():
        return
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        return
    if "inline" in backend:
        plt.switch_backend("agg")
    if plt.get_backend().lower() in ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template"):
        plt.show = _nb2prod_figures


def _nb2prod_set_up_pandas():
    """Let pandas print as many columns as in a notebook."""
    if "get_ipython" in globals():
        return
    try:
        import pandas
    except ImportError:
        return
    pandas.set_option("display.max_columns", 20)


def _nb2prod_set_up_ipython():
    """Let IPython's own `display` print what a notebook would show."""
    if "get_ipython" in globals():
        return
    try:
        import IPython.core.display_functions as functions
        import IPython.display
    except ImportError:
        return
    functions.display = IPython.display.display = display


if "get_ipython" not in globals():

    def display(*objects, **_options):
        """Print what a notebook would show."""
        for shown in objects:
            print(_nb2prod_text(shown))
