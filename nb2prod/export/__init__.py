"""From a notebook to a script that can be trusted: preflight, magics, the percent script."""
