"""Database, content-addressed blobs and git: what everything else keeps its state in.

Public names: `database.Database`, `blobs.BlobStore`, `blobs.Blob`, `git.Repository`, `git.Tag`,
`git.Author`, and the tables of `schema`.
"""
