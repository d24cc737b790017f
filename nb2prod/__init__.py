"""nb2prod: from a notebook to a pipeline that can be trusted, and a page that can be found."""

__version__ = "0.1.0"
