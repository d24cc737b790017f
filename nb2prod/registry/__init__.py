"""Versions of pipelines, in git: numbered without gaps, immutable, with their environment."""
