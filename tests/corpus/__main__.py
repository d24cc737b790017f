"""Write the golden files anew: ``python -m tests.corpus``; read what git says has changed."""

from __future__ import annotations

from tests.corpus.books import GOLDEN, NAMES, exported

if __name__ == "__main__":
    for old in GOLDEN.iterdir():
        old.unlink()
    for name in NAMES:
        file, text = exported(name)
        (GOLDEN / file).write_text(text, encoding="utf-8", newline="\n")
