"""nb2prod in JupyterLab: the extension's half in the Jupyter server."""
