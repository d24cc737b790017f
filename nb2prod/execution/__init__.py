"""One run of a version: papermill's engine, the recorder, lineage and tracking.

Public names: `run.run_version`, `run.RunOptions`, `runs.create_run`, `runs.get_run`,
`runs.list_runs`, `runs.reconcile`, `models.RunRecord`, `models.RunStatus`,
`models.CellStatus`, `events.Event`, `record.fold`, `collect.collect`,
`engine.Nb2prodEngine`, `papermill_io.VersionHandler`.
"""
