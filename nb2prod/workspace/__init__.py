"""Who works on what: the workspace, its projects, their members and roles.

Public names: `workspace.open_workspace`, `workspace.Workspace`, `projects.Project`,
`projects.Member`, `projects.Role`, `projects.create_project`, `projects.project_of`,
`projects.list_projects`, `projects.get_project`, `projects.list_members`,
`projects.add_member`.
"""
