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
values = [3, 1, 2]
values.sort();

# %%
values;

# %%
_nb2prod_show(values)  # the list, with a comment behind it
