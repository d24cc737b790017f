"""A workspace on another machine, over HTTP: for CI, and for whoever works beside it.

Everything here speaks the service's API (docs/reference/api.md) with a token of one project, and
knows nothing of what it carries.
"""
