"""Small functions that a script carries, where a notebook has IPython.

A script gets only those that it uses, in one tagged cell. They need nothing but the standard
library, import inside themselves, and have names that no author would choose, so that nothing
of theirs gets into the way of the notebook's own names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

SUPPORT_PREFIX = "_nb2prod_"

_SHELL = '''
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
'''

_SHELL_LINES = '''
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
'''

_SCRIPT = '''
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
'''

_START_TIMER = '''
_nb2prod_timers = []


def _nb2prod_start_timer():
    """Begin to measure time."""
    import time

    _nb2prod_timers.append((time.perf_counter(), time.process_time()))


def _nb2prod_stop_timer():
    """Print the time since the last start."""
    import time

    wall, cpu = _nb2prod_timers.pop()
    print(f"CPU times: total: {time.process_time() - cpu:.3g} s")
    print(f"Wall time: {time.perf_counter() - wall:.3g} s")
'''

_TIMEIT = '''
def _nb2prod_timeit(function, number=0, repeat=7):
    """Call a function many times and print how long a call takes."""
    import statistics
    import timeit

    timer = timeit.Timer(function)
    number = number or timer.autorange()[0]
    times = [time / number for time in timer.repeat(repeat, number)]
    print(
        f"{statistics.fmean(times):.3g} s ± {statistics.pstdev(times):.3g} s per loop"
        f" (mean ± std. dev. of {repeat} runs, {number:,} loops each)"
    )
'''

_CAPTURE = '''
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

    def show():
        sys.stdout.write(kept[0])
        sys.stderr.write(kept[1])

    return types.SimpleNamespace(stdout=kept[0], stderr=kept[1], outputs=[], show=show)
'''

_SET_ENV = '''
def _nb2prod_set_env(name, value):
    """Set a variable of the environment."""
    import os

    os.environ[name] = value
    print(f"env: {name}={value}")
'''

_GET_ENV = '''
def _nb2prod_get_env(name):
    """Return a variable of the environment."""
    import os

    return os.environ[name]
'''

_CHANGE_FOLDER = '''
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
'''

_WORKING_FOLDER = '''
def _nb2prod_pwd():
    """Return the working directory."""
    import os

    return os.getcwd()
'''

_WRITE_FILE = '''
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
'''

_DISPLAY = '''
if "get_ipython" not in globals():

    def display(*objects, **_options):
        """Print what a notebook would show."""
        for shown in objects:
            print(repr(shown))
'''

# Function → the piece of source that has it; the order is that in the script.
_PIECES: Mapping[str, str] = MappingProxyType(
    {
        "display": _DISPLAY,
        "_nb2prod_shell": _SHELL,
        "_nb2prod_shell_lines": _SHELL_LINES,
        "_nb2prod_script": _SCRIPT,
        "_nb2prod_start_timer": _START_TIMER,
        "_nb2prod_stop_timer": _START_TIMER,
        "_nb2prod_timeit": _TIMEIT,
        "_nb2prod_start_capture": _CAPTURE,
        "_nb2prod_stop_capture": _CAPTURE,
        "_nb2prod_set_env": _SET_ENV,
        "_nb2prod_get_env": _GET_ENV,
        "_nb2prod_cd": _CHANGE_FOLDER,
        "_nb2prod_pwd": _WORKING_FOLDER,
        "_nb2prod_write_file": _WRITE_FILE,
    }
)

SUPPORT_FUNCTIONS = frozenset(_PIECES)


def support_source(names: Iterable[str]) -> str:
    """Return the source of the functions named, each once, in a fixed order; or nothing."""
    wanted = set(names)
    pieces = dict.fromkeys(piece for name, piece in _PIECES.items() if name in wanted)
    return "\n\n".join(piece.strip() + "\n" for piece in pieces).strip()
