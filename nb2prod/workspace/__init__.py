"""Who works on what: the workspace, its projects, their members and roles, folders and tokens.

Public names: `workspace.open_workspace`, `workspace.Workspace`, `projects.Project`,
`projects.Member`, `projects.Membership`, `projects.Role`, `projects.found_project`,
`projects.adopt_repository`, `projects.create_project`, `projects.project_of`,
`projects.list_projects`, `projects.list_memberships`, `projects.list_all_projects`,
`projects.get_project`, `projects.update_project`, `projects.role_of`,
`projects.require_role`, `projects.list_members`, `projects.add_member`,
`projects.remove_member`, `people.Identity`, `people.folder_name`,
`people.check_person_name`, `people.author_of`, `policy.server_container`,
`policy.run_container`, `folders.prepare_project_folder`, `folders.prepare_private_folder`,
`folders.hand_over`, `tokens.issue_token`, `tokens.identity_of`, `tokens.revoke`.
"""
