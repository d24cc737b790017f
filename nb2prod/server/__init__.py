"""The gallery in the browser and its HTTP API: a shell, no logic of its own."""
