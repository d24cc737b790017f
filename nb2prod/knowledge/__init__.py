"""What a run leaves for the team: its page, rendered once and safely, and the search over all."""
