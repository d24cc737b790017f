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

# %%
# [nb2prod] %%html
# [nb2prod] <style>.rendered { font-size: 90% }</style>
# [/nb2prod] dropped: it only shows something to the person at the notebook

# %%
# [nb2prod] %%latex
# [nb2prod] $e^{i\pi} = -1$
# [/nb2prod] dropped: it only shows something to the person at the notebook

# %%
# [nb2prod] %%javascript
# [nb2prod] console.log("only in a browser")
# [/nb2prod] dropped: it only shows something to the person at the notebook

# %%
print("after")
