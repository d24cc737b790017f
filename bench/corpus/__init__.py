"""What becomes of notebooks that nobody here wrote: `make corpus DIR=…`.

`static_checks` exports each notebook and asks others what they think of the script; `runs` runs
both, and `comparison` says whether they printed the same; `report` makes one table of it.
"""
