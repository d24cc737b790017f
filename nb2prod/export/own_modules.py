"""What a script carries whose version keeps copies of the project's own modules."""

from __future__ import annotations

# In a kernel our engine does the same, so that the script does nothing there. What a cell itself
# puts first into `sys.path` later is the author's word.
OWN_MODULES = '''
def _nb2prod_own_modules():
    """Let the project's own modules be found as this version has them, before all others."""
    import os
    import sys

    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "modules"))


if "get_ipython" not in globals():
    _nb2prod_own_modules()
'''.strip()
