"""The command line: a shell round the library, with no logic of its own."""
