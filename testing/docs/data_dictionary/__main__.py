"""`python -m testing.docs.data_dictionary` renews DATA.md: its tables, and the answers of its examples."""

from __future__ import annotations

import tempfile
from pathlib import Path

from testing.docs.data_dictionary.sample import build
from testing.docs.data_dictionary.tables import replaced
from testing.docs.snippets import answered
from testing.harness.daemons import REPOSITORY

DATA = REPOSITORY / "services" / "data_writer" / "DATA.md"

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        text = replaced(DATA.read_text(encoding="utf-8"), build(folder / "archive"))
        DATA.write_text(answered(text, folder), encoding="utf-8")
