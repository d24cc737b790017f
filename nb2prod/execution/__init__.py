"""One run of a version: papermill's engine, the recorder, lineage and tracking.

Public names: `run.run_version`, `run.RunOptions`, `runs.create_run`, `runs.request_run`,
`runs.get_run`, `runs.list_runs`, `runs.reconcile`, `progress.read_progress`,
`models.RunRecord`, `models.RunStatus`, `models.CellStatus`, `events.Event`, `record.fold`,
`collect.collect`, `evidence.Verdict`, `worker.execute_folder`, `engine.Nb2prodEngine`,
`papermill_io.VersionHandler`.
"""
