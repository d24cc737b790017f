"""Start the person's server, JupyterLab behind the hub; run by start-server with `python -I`."""

import gc
import sys

# Some 2000 modules are imported, and stay: looking through them for garbage again and again would
# be a tenth of the start.
COLLECT_AFTER_ALLOCATIONS = 50_000


if __name__ == "__main__":
    gc.set_threshold(COLLECT_AFTER_ALLOCATIONS, 20, 20)
    from jupyterhub.singleuser import main

    gc.freeze()
    sys.exit(main())
