# ---
# jupyter:
#   jupytext:
#     comment_magics: false
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% tags=["nb2prod-environment"]
# A notebook imports where it needs to.
# ruff: noqa: E402, RUF100

# /// script
# dependencies = []
# ///

# %% tags=["nb2prod-support"]
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


if "get_ipython" not in globals():

    def display(*objects, **_options):
        """Print what a notebook would show."""
        for shown in objects:
            print(_nb2prod_text(shown))

# %%
# [nb2prod] %%file job.py
# [nb2prod] import sys
# [nb2prod]
# [nb2prod] total = sum(map(int, sys.argv[1:]))
# [nb2prod] print("total", total, __name__)
_nb2prod_write_file(
    "job.py",
    "import sys\n"
    "\n"
    "total = sum(map(int, sys.argv[1:]))\n"
    "print(\"total\", total, __name__)\n",
)
# [/nb2prod]

# %%
# [nb2prod] %run job.py 1 2 3
globals().update(_nb2prod_run("job.py", ["1", "2", "3"]))
# [/nb2prod]

# %%
_nb2prod_show(total)
