"""nb2prod in JupyterHub: spawners, login for our services, and what starts them all."""
