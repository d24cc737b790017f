"""nb2prod in JupyterLab: the prebuilt extension for the browser, and its half in the server.

The two functions here are what JupyterLab and Jupyter Server look for.
"""

from __future__ import annotations

from typing import Any


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "nb2prod-lab"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from nb2prod_lab.extension import LabExtension

    return [{"module": "nb2prod_lab", "app": LabExtension}]
