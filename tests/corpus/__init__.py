"""Small notebooks that do what real ones do, each named for its trouble; golden scripts beside."""
