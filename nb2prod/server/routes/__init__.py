"""The routes: sign-in, pages for browsers, contents, and the API for programs."""
