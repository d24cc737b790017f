"""Reading a notebook: its cells, its typed parameters, and which cell needs which."""
