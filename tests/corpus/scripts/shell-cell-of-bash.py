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

# %%
# [nb2prod] %%bash
# [nb2prod] for n in 1 2 3; do
# [nb2prod]   echo "line $n"
# [nb2prod] done
_nb2prod_script(
    ["bash"],
    "for n in 1 2 3; do\n"
    "  echo \"line $n\"\n"
    "done\n",

)
# [/nb2prod]

# %%
# [nb2prod] %%sh
# [nb2prod] echo "from sh"
_nb2prod_script(
    ["sh"],
    "echo \"from sh\"\n",

)
# [/nb2prod]

# %%
# [nb2prod] %%script python3
# [nb2prod] print("another Python")
_nb2prod_script(
    ["python3"],
    "print(\"another Python\")\n",

)
# [/nb2prod]
