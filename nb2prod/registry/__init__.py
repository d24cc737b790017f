"""Versions of pipelines, in git: numbered without gaps, immutable, with their environment.

Public names: `versions.propose`, `versions.propose_content`, `versions.confirm`,
`versions.Proposal`, `versions.list_versions`, `versions.VersionEntry`, `versions.load_version`,
`versions.version_notebook`, `models.Version`, `models.Reference`, `models.Manifest`,
`models.EnvironmentLock`, `lock.observe_environment`, `lock.parse_observation`,
`lock.OBSERVE_PROGRAM`, `locking.lock_environment`, `local_modules.find_local_modules`,
`project_files.ProjectFiles`, `project_files.FolderFiles`, `project_files.GivenFiles`,
`environments.environment_of_image`, `environments.store_environment`,
`manifest.read_manifest`, `manifest.write_manifest`, `diff.compare_versions`,
`cell_diff.compare_cells`, `diff.script_diff`, `findings.FINDINGS`.
"""
