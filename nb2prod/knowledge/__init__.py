"""What a run leaves for the team: its page, rendered once and safely, and the search over all.

Public names: `pages.catch_up`, `pages.list_pages`, `pages.get_page`, `pages.open_blob`,
`render.render`, `models.PageDocument`, `models.PageView`, `models.PageCard`,
`models.PageQuery`, `models.Listing`, `version_results.compare_results`.
"""
