"""The probe: source that is sent into a Python kernel before a notebook's first cell.

It tells which files under the project are opened, where the kernel runs, plants the run's seed
(`nb2prod_kernels.seeds`), gives the environment variables for MLflow to whom needs them, and
keeps secrets out of what the notebook tells MLflow. The kernel's environment need not have
nb2prod: the whole text of this module is sent, and it uses the standard library only (Python
3.8 and later). It leaves no name in the notebook's namespace.

What it sees: everything that Python itself opens (an audit hook, PEP 578), also in forked
children; what is imported from the project; SQLite databases; and calls into native code that
`NATIVE_CALLS` names (pyarrow, and so pandas' Parquet, Feather and ORC; torch's saving).

What it does not see: other native readers and writers (polars, DuckDB, h5py, the models'
own formats of XGBoost and LightGBM, arrow's file systems used directly), and other programs
(`!cat data.csv`), Python ones included.
"""
# pathlib would itself open and resolve at each event of the hook, and is slow.
# ruff: noqa: PTH100, PTH112, PTH116, PTH118, PTH123, PTH208

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time

if False:  # for type checkers only; the kernel's Python may be older than these names
    from collections.abc import Callable, Iterable
    from typing import Any

    from nb2prod_kernels.seeds import Seeds

# Calls that open files without Python's `open`: module, function, class or method in it, the
# position of the path among the arguments (after `self`), its name, "r" or "w".
NATIVE_CALLS = (
    ("pandas.io.parquet", "PyArrowImpl.read", 0, "path", "r"),
    ("pandas.io.parquet", "PyArrowImpl.write", 1, "path", "w"),
    ("pyarrow.parquet.core", "ParquetDataset", 0, "path_or_paths", "r"),
    ("pyarrow.parquet.core", "ParquetFile", 0, "source", "r"),
    ("pyarrow.parquet.core", "ParquetWriter", 0, "where", "w"),
    ("pyarrow.dataset", "dataset", 0, "source", "r"),
    ("pyarrow.dataset", "write_dataset", 1, "base_dir", "w"),
    ("pyarrow.feather", "read_feather", 0, "source", "r"),
    ("pyarrow.feather", "read_table", 0, "source", "r"),
    ("pyarrow.feather", "write_feather", 1, "dest", "w"),
    ("pyarrow.csv", "read_csv", 0, "input_file", "r"),
    ("pyarrow.csv", "open_csv", 0, "input_file", "r"),
    ("pyarrow.csv", "write_csv", 1, "output_file", "w"),
    ("pyarrow.json", "read_json", 0, "input_file", "r"),
    ("pyarrow.orc", "ORCFile", 0, "source", "r"),
    ("pyarrow.orc", "ORCWriter", 0, "where", "w"),
    ("torch.serialization", "save", 1, "f", "w"),
    ("torch.jit._serialization", "save", 1, "f", "w"),
    ("torch.jit._serialization", "load", 0, "f", "r"),
)

# A dataset may be a folder; more files than this in one call are not listed one by one.
FILES_PER_CALL = 10_000

# Where NVIDIA's driver for Linux tells of itself and of the GPUs that may be used.
NVIDIA = "/proc/driver/nvidia"

# Where MLflow has `set_experiment` and `set_tracking_uri`.
MLFLOW_EXPERIMENTS = "mlflow.tracking.fluent"
MLFLOW_SERVERS = "mlflow.tracking._tracking_service.utils"

# What MLflow's client makes of all that a notebook logs, files and traces apart: module, and
# function or class in it. The first argument of most is a name.
MLFLOW_WRITERS = (
    ("mlflow.entities.param", "Param"),
    ("mlflow.entities.metric", "Metric"),
    ("mlflow.entities.run_tag", "RunTag"),
    ("mlflow.entities.experiment_tag", "ExperimentTag"),
    ("mlflow.entities.dataset", "Dataset"),
    ("mlflow.entities.input_tag", "InputTag"),
    ("mlflow.entities.logged_model_parameter", "LoggedModelParameter"),
    ("mlflow.entities.logged_model_tag", "LoggedModelTag"),
    ("mlflow.tracking._tracking_service.client", "TrackingServiceClient.create_run"),
)

# What is shorter stands in any text by chance; of a value of several lines, each that is as long.
SECRET_CHARACTERS = 6
SECRET_LINE_CHARACTERS = 12

# Events at which MLflow may be needed: its import, and children that inherit the environment.
_LEAVING = frozenset({"subprocess.Popen", "os.system", "os.fork", "os.posix_spawn", "os.exec"})

WRITING_FLAGS = os.O_WRONLY | os.O_RDWR


def install(
    roots: list[str],
    opened: str,
    tracking: str | None,
    secrets: Iterable[str] = (),
    tracking_wait_s: float = 60.0,
    *,
    seeds: Seeds | None = None,
) -> None:
    """Begin to watch this process; called once, in the kernel.

    Parameters
    ----------
    roots
        Spellings of the project's root (as given, and with links resolved).
    opened
        File to append to, a line of JSON for each fact.
    tracking
        File that will hold the environment variables for MLflow; `None` where there are none.
    secrets
        Names of environment variables with secrets.
    tracking_wait_s
        How long an import of MLflow waits for that file.
    seeds
        Plants the run's seed.
    """
    journal = Journal(opened, tuple(root.rstrip("/") + "/" for root in roots))
    journal.write({"machine": machine()})
    join = Tracking(tracking, tracking_wait_s) if tracking else None
    _end_with_parent()
    _lose_no_output()
    sys.addaudithook(_hook(journal, join))
    patches: dict[str, Callable[[Any], None]] = {
        name: lambda module: patch_native(module, journal) for name, *_ in NATIVE_CALLS
    }
    if join is not None:
        patches[MLFLOW_EXPERIMENTS] = patches[MLFLOW_SERVERS] = join.patch
    hidden = Secrets({name: os.environ.get(name, "") for name in secrets})
    patches.update((name, hidden.patch) for name, _ in MLFLOW_WRITERS)
    if seeds is not None:
        patches.update(seeds.patches(journal.write))
    Patches(patches).apply()
    _follow_cells(journal)


def flush_files() -> None:
    """Write out what open files hold back, as Python does when it exits."""
    import gc
    import io

    for item in gc.get_objects():
        try:
            is_file = isinstance(item, (io.TextIOWrapper, io.BufferedWriter))
            if is_file and not item.closed and item.fileno() > 2:
                item.flush()
        except Exception:  # noqa: BLE001, S112 - a file of any class; the others matter
            continue


def machine() -> dict[str, Any]:
    """Return the facts of `nb2prod.execution.models.Machine`."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:
        cpus = os.cpu_count() or 1
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cpu_count": cpus,
        "host": platform.node(),
        "gpus": _gpus(),
        "gpu_driver": _gpu_driver(),
    }


class Journal:
    """Tells which files were opened, each once for reading and once for writing."""

    def __init__(self, path: str, roots: tuple[str, ...]) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        self._roots = roots
        self._told: set[tuple[str, str]] = set()

    def opened(self, path: Any, mode: str) -> None:
        """Tell of a file; ``mode`` is "r", "w", or "?" where only its content will tell."""
        if isinstance(path, int) or path is None:
            return
        name = os.path.abspath(os.fsdecode(path))
        if not name.startswith(self._roots):
            return
        if (name, mode) not in self._told:
            self._told.add((name, mode))
            fact: dict[str, Any] = {"path": name, "mode": mode}
            if mode == "r":
                fact["state"] = _state_of(name)
            self.write(fact)

    def called(self, path: Any, mode: str, since: float) -> None:
        """Tell of a file or folder, or several, that a native call was given."""
        if isinstance(path, (list, tuple)):
            for item in path:
                self.called(item, mode, since)
        elif isinstance(path, (str, bytes, os.PathLike)):
            name = os.fsdecode(path)
            name = name.removeprefix("file://")
            for file in _files_of(name, since if mode == "w" else None):
                self.opened(file, mode)

    def moved(self, source: Any, target: Any) -> None:
        """Tell that a file got another name; what it replaced is written anew."""
        self.opened(source, "x")
        self.opened(target, "w")

    def imported(self, names: Iterable[str]) -> None:
        """Tell of imported modules: their source is not opened where compiled code lies."""
        for name in names:
            path = getattr(sys.modules.get(name), "__file__", None)
            if isinstance(path, str) and path.endswith(".py"):
                self.opened(path, "r")

    def write(self, fact: dict[str, Any]) -> None:
        """Append a line; one call, so that lines of several processes do not mix."""
        os.write(self._descriptor, json.dumps(fact).encode() + b"\n")


def _state_of(path: str) -> list[int] | None:
    """Return what tells cheaply, later, whether a file is still as it is now."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return [status.st_mtime_ns, status.st_size, status.st_ino]


class Tracking:
    """Brings the environment variables for MLflow once they are known."""

    def __init__(self, path: str, wait_s: float) -> None:
        self._path = path
        self._until = time.monotonic() + wait_s
        self._values: dict[str, str] | None = None
        self._mutex = threading.Lock()

    def join(self) -> None:
        """Wait for the variables and set them."""
        with self._mutex:
            while self._values is None:
                self._values = self._read()
                if self._values is None and time.monotonic() > self._until:
                    self._values = {}
                if self._values is None:
                    time.sleep(0.01)
                else:
                    os.environ.update(self._values)

    def leave(self) -> None:
        """Take the variables away: the notebook has a tracking server of its own."""
        for name in self._values or {}:
            os.environ.pop(name, None)
        self._values = {}

    def patch(self, module: Any) -> None:
        """Keep a notebook that names an experiment or a tracking server from failing.

        MLflow refuses to join a run under another experiment, and one that it can't find at
        another server. So an experiment's name is ours while the run is, and who turns to
        another server leaves the run.
        """
        if module.__name__ == MLFLOW_EXPERIMENTS:
            set_experiment = module.set_experiment

            def keep_experiment(*arguments: Any, **named: Any) -> Any:
                ours = (self._values or {}).get("MLFLOW_EXPERIMENT_ID")
                if ours:
                    return set_experiment(experiment_id=ours)
                return set_experiment(*arguments, **named)

            module.set_experiment = _like(set_experiment, keep_experiment)
        else:
            set_tracking_uri = module.set_tracking_uri

            def follow_uri(uri: Any) -> Any:
                if str(uri) != (self._values or {}).get("MLFLOW_TRACKING_URI"):
                    self.leave()
                return set_tracking_uri(uri)

            module.set_tracking_uri = _like(set_tracking_uri, follow_uri)

    def _read(self) -> dict[str, str] | None:
        try:
            with open(self._path) as stream:
                values: dict[str, str] = json.load(stream)
        except (OSError, ValueError):
            return None
        return values


class Secrets:
    """Takes secrets out of what a notebook tells MLflow.

    A value is looked for as it is and as programs usually write it. It is for what happens
    inadvertently; a notebook that wants to tell a value can.

    Parameters
    ----------
    values
        By name.
    """

    def __init__(self, values: dict[str, str]) -> None:
        forms: dict[str, str] = {}
        for name, value in values.items():
            for form in _forms_of(value):
                forms.setdefault(form, f"secret {name}")
        self._forms = sorted(forms.items(), key=lambda item: -len(item[0]))

    def text(self, text: str, mark: str = "[{}]") -> str:
        """Return a text with the names of secrets in place of them."""
        for form, name in self._forms:
            text = text.replace(form, mark.format(name))
        return text

    def number(self, number: float) -> float:
        """Return a number, or NaN for one that is written like a secret."""
        written = f"{number:.0f}" if number.is_integer() else repr(number)
        return number if self.text(written) == written else float("nan")

    def patch(self, module: Any) -> None:
        """Wrap what `MLFLOW_WRITERS` names in a module."""
        for name, attribute in MLFLOW_WRITERS:
            holder, method = _place_of(module, attribute)
            found = getattr(holder, method, None)
            if name == module.__name__ and self._forms and callable(found):
                setattr(holder, method, self._wrapped(found))

    def _wrapped(self, function: Any) -> Callable[..., Any]:
        def call(instance: Any, *arguments: Any, **named: Any) -> Any:
            # MLflow takes no brackets in names.
            first = [self._without(item, "{}") for item in arguments[:1]]
            others = [self._without(item) for item in arguments[1:]]
            named = {
                name: self._without(item, "{}" if name == "key" else "[{}]")
                for name, item in named.items()
            }
            return function(instance, *first, *others, **named)

        return _like(function, call)

    def _without(self, given: Any, mark: str = "[{}]") -> Any:
        # An error in here would become the notebook's own.
        if type(given) is str:
            return self.text(given, mark)
        if type(given) is float:
            return self.number(given)
        return given


class Patches:
    """Finds modules as the other finders do, and patches some as soon as they are loaded.

    Parameters
    ----------
    patches
        What to do with a module, by its name.
    """

    def __init__(self, patches: dict[str, Callable[[Any], None]]) -> None:
        self._patches = patches

    def apply(self) -> None:
        """Patch what is loaded already, and from now on what will be."""
        for name in set(self._patches) & set(sys.modules):
            self._patches[name](sys.modules[name])
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """See `importlib.abc.MetaPathFinder`."""
        if name not in self._patches:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._watch(spec.loader, self._patches[name])
                return spec
        return None

    def _watch(self, loader: Any, patch: Callable[[Any], None]) -> None:
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module: Any) -> None:
            execute(module)
            try:
                patch(module)
            except Exception:  # noqa: BLE001, S110 - another version of it; then without
                pass

        try:
            loader.exec_module = exec_module
        except AttributeError:
            pass


def patch_native(module: Any, journal: Journal) -> None:
    """Wrap what `NATIVE_CALLS` names in a module; what is not there is passed over."""
    for name, attribute, position, argument, mode in NATIVE_CALLS:
        if name != module.__name__:
            continue
        holder, method = _place_of(module, attribute)
        found = getattr(holder, method, None)
        try:
            if callable(found):
                first = position + isinstance(holder, type)
                setattr(holder, method, _wrapped(found, first, argument, mode, journal))
        except TypeError:  # a class of native code
            continue


def source(
    roots: list[str],
    opened: str,
    tracking: str | None,
    secrets: Iterable[str] = (),
    tracking_wait_s: float = 60.0,
    *,
    seed: int,
) -> str:
    """Return the code to execute silently in a kernel.

    Parameters
    ----------
    seed
        Of the run, see `nb2prod_kernels.seeds.Seeds`; the other arguments are `install`'s.
    """
    # Only here: in the kernel this package need not be installed.
    from nb2prod_kernels import seeds

    with open(__file__, encoding="utf-8") as stream:
        text = stream.read()
    arguments = (roots, opened, tracking, list(secrets), tracking_wait_s)
    return _call(
        f"__import__('sys').modules.setdefault({NAME!r}, type(__import__('sys'))({NAME!r}))",
        f"exec(compile({text!r}, '<nb2prod probe>', 'exec'), _nb2prod.__dict__)",
        f"exec(compile({seeds.text()!r}, '<nb2prod seeds>', 'exec'), _nb2prod.__dict__)",
        f"_nb2prod.install(*{arguments!r}, seeds=_nb2prod.Seeds({seed!r}))",
    )


def farewell() -> str:
    """Return the code to execute silently when the last cell has ended."""
    return _call(f"__import__('sys').modules[{NAME!r}]", "_nb2prod.flush_files()")


# A name for `sys.modules` that no notebook has.
NAME = "_nb2prod_probe"


def _call(module: str, *statements: str) -> str:
    # A lambda's argument is no name in the notebook's namespace.
    return f"(lambda _nb2prod: [{', '.join(statements)}])({module})"


def _hook(journal: Journal, join: Tracking | None) -> Callable[[str, tuple[Any, ...]], None]:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # An error in here would become the notebook's own.
        try:
            if event == "open":
                journal.opened(arguments[0], _mode(arguments[1], arguments[2]))
            elif event == "os.rename":
                journal.moved(arguments[0], arguments[1])
            elif event == "sqlite3.connect":
                journal.opened(_database(arguments[0]), "?")
            elif join is not None and (
                event in _LEAVING or (event == "import" and _is_mlflow(arguments[0]))
            ):
                join.join()
        except Exception:  # noqa: BLE001, S110
            pass

    return hook


def _database(name: Any) -> Any:
    # Also by an URI: ``file:data.db?mode=ro``, ``file:///srv/data.db`` (sqlite.org/uri.html).
    if not isinstance(name, str) or not name.startswith("file:"):
        return name
    from urllib.parse import unquote

    path = name[len("file:") :].partition("#")[0].partition("?")[0]
    if path.startswith("//"):
        path = "/" + path[2:].partition("/")[2]
    return unquote(path)


def _mode(mode: Any, flags: Any) -> str:
    if isinstance(mode, str):
        return "w" if set(mode) & set("wax+") else "r"
    return "w" if isinstance(flags, int) and flags & WRITING_FLAGS else "r"


def _is_mlflow(name: Any) -> bool:
    return isinstance(name, str) and (name == "mlflow" or name.startswith("mlflow."))


def _files_of(path: str, since: float | None) -> Iterable[str]:
    if not os.path.isdir(path):
        yield path
        return
    count = 0
    for folder, _, names in os.walk(path):
        for name in names:
            file = os.path.join(folder, name)
            if count == FILES_PER_CALL:
                return
            if since is None or os.stat(file).st_mtime >= since:
                count += 1
                yield file


def _wrapped(
    function: Any, position: int, argument: str, mode: str, journal: Journal
) -> Callable[..., Any]:
    def tell(arguments: tuple[Any, ...], named: dict[str, Any], since: float) -> None:
        try:
            given = arguments[position] if len(arguments) > position else named.get(argument)
            journal.called(given, mode, since)
        except Exception:  # noqa: BLE001, S110 - as in the hook
            pass

    def call(*arguments: Any, **named: Any) -> Any:
        # File systems keep times in ticks; a file may seem a little older than it is.
        since = time.time() - 0.1
        if mode == "r":
            tell(arguments, named, since)
        try:
            return function(*arguments, **named)
        finally:
            if mode == "w":
                tell(arguments, named, since)

    return _like(function, call)


def _place_of(module: Any, attribute: str) -> tuple[Any, str]:
    # Of a class it is its `__init__`.
    owner, _, method = attribute.rpartition(".")
    holder = getattr(module, owner, None) if owner else module
    found = getattr(holder, method, None)
    return (found, "__init__") if isinstance(found, type) else (holder, method)


def _forms_of(value: str) -> Iterable[str]:
    from urllib.parse import quote, quote_plus

    lines = [line.strip() for line in value.splitlines()]
    texts = [value, value.strip()]
    texts += [line for line in lines if len(line) >= SECRET_LINE_CHARACTERS]
    for text in texts:
        if len(text) < SECRET_CHARACTERS:
            continue
        yield text
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        yield from (repr(text)[1:-1], repr(text + "'")[1:-2])
        yield from (quote(text), quote(text, safe=""), quote_plus(text))


def _like(function: Any, replacement: Callable[..., Any]) -> Callable[..., Any]:
    import functools

    return functools.update_wrapper(replacement, function)


def _follow_cells(journal: Journal) -> None:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return
    known = set(sys.modules)

    def after(*_: Any) -> None:
        new = set(sys.modules) - known
        known.update(new)
        journal.imported(new)

    shell.events.register("post_run_cell", after)


def _end_with_parent() -> None:
    # ipykernel's own watch over its parent is a thread, and can't run while native code holds
    # the interpreter's lock. Linux can do it without our help (prctl(2), PR_SET_PDEATHSIG).
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (OSError, AttributeError):
        pass


def _lose_no_output() -> None:
    # zmq drops what is sent faster than it is read, beyond a thousand messages, over Unix
    # sockets sooner than over TCP: a cell that displays many things would lose some, or never
    # be seen to end. The socket belongs to ipykernel's thread for output.
    ipython = sys.modules.get("IPython")
    kernel: Any = getattr(ipython and ipython.get_ipython(), "kernel", None)
    thread = getattr(kernel, "iopub_thread", None)
    if thread is not None:
        import zmq

        thread.schedule(lambda: thread.socket.setsockopt(zmq.SNDHWM, 0))
        kernel.session.pack = _packing_any_text(kernel.session.pack)


def _packing_any_text(pack: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    # Halves of characters, as a file's name in another encoding has, are no UTF-8; the session
    # would log an error in place of what was printed.
    def pack_any(message: Any) -> bytes:
        try:
            return pack(message)
        except UnicodeEncodeError:
            from jupyter_client.jsonutil import json_default

            return json.dumps(message, default=json_default, allow_nan=False).encode("ascii")

    return pack_any


def _gpus() -> list[str]:
    # NVIDIA's driver says so itself; nvidia-smi takes up to a second.
    found = []
    try:
        for name in sorted(os.listdir(f"{NVIDIA}/gpus")):
            with open(f"{NVIDIA}/gpus/{name}/information") as stream:
                lines = [line.partition(":") for line in stream]
            found += [value.strip() for key, _, value in lines if key.strip() == "Model"]
    except OSError:
        pass
    return found


def _gpu_driver() -> str:
    import re

    try:
        with open(f"{NVIDIA}/version") as stream:
            match = re.search(r"Kernel Module.*?\s(\d+\.[\d.]+)", stream.read())
    except OSError:
        return ""
    return match.group(1) if match else ""


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo") as stream:
            for line in stream:
                if line.startswith(("model name", "Model")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
