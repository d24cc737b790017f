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

# %%
for name in ("x", "y"):
    # [nb2prod] !echo item {name}
    _nb2prod_shell(f"echo item {name}")
    # [/nb2prod]

# %%
if True:
    # [nb2prod] lines = !echo yes
    lines = _nb2prod_shell_lines("echo yes")
    # [/nb2prod]
    print(lines)
