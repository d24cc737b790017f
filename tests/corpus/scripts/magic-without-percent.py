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

# %%
pwd_was = "bound"

# %%
# [nb2prod] cd .
_nb2prod_cd(".")
# [/nb2prod]

# %%
# [nb2prod] mkdir plain
_nb2prod_shell("mkdir plain")
# [/nb2prod]

# %%
# [nb2prod] ls -d plain
_nb2prod_shell("ls -F -d plain")
# [/nb2prod]
