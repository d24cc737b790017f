"""One run of a version: papermill's engine, the recorder, lineage and tracking."""
