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

# %%
# [nb2prod] !printf '1 2\n3 4\n' | awk '{print $2}'
_nb2prod_shell("printf '1 2\\n3 4\\n' | awk '{print $2}'")
# [/nb2prod]

# %%
width = 3
# [nb2prod] !printf '%s\n' "{width}"
_nb2prod_shell(f"printf '%s\\n' \"{width}\"")
# [/nb2prod]
