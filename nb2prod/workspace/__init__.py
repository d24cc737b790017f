"""Who works on what: the workspace, its projects, their members and roles."""
