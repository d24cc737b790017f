"""Database, content-addressed blobs and git: what everything else keeps its state in."""
