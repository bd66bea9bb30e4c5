"""`python -m testing.docs.data_dictionary` updates DATA.md: its tables, and the output of its examples."""

from __future__ import annotations

import tempfile
from pathlib import Path

from testing.docs.data_dictionary.tables import build, replaced
from testing.docs.markdown import with_output
from testing.harness.daemons import REPOSITORY

DATA = REPOSITORY / "services" / "archive" / "DATA.md"

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        text = replaced(DATA.read_text(encoding="utf-8"), build(folder / "archive"))
        DATA.write_text(with_output(text, folder), encoding="utf-8")
