"""Words that were replaced stay out of code and documents: one idea has one word, the one of the field."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from testing.harness.daemons import REPOSITORY

REPLACED = {
    "aside": "operator push",
    "befalls?": "inject",
    "births?|born": "start",
    "catalogue": "catalog",
    "comes? about": "wait until",
    "dice": "rng",
    "doomed": "deleting",
    "frontiers?": "checkpoint",
    "gate": "deploy agent",
    "headway": "progress",
    "hush": "stop traffic",
    "leftovers?": "residual, unknown files",
    "mend(s|ed|ing)?": "remedy, repair",
    "misfits?": "type mismatches",
    "owed": "pending",
    "park(s|ed|ing)?": "pause, backpressure",
    "patience": "timeout",
    "salvage": "lenient decoding",
    "settled": "committed, closed or compacted",
    "strangers?": "unknown",
    "thrown": "replaced",
    "told": "reported, logged, sent",
    "trash(ed)?": "replaced",
    "workshop": "scratch",
}
ALLOWED = re.compile(r"(set|sets|setting) aside|(machine|server|database)'s birth", re.IGNORECASE)
KINDS = ("*.py", "*.md", "*.yml", "*.yaml", "*.toml", "*.sh", "*.sql", "Makefile", ".ci/run", "*Dockerfile")
# The generator writes posts in everyday words; the changelog also speaks of what was.
EXEMPT = ("testing/events/", "CHANGELOG.md", "testing/tests/test_words.py")


def test_no_replaced_word_is_used() -> None:
    listed = subprocess.run(
        ["git", "ls-files", *KINDS], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    files = [name for name in listed if not name.startswith(EXEMPT)]
    assert len(files) > 300
    found = [
        f"{name}:{number}: {match[0]!r}, say {REPLACED[word]}"
        for name in files
        if Path(REPOSITORY, name).is_file()
        for number, line in enumerate(Path(REPOSITORY, name).read_text(encoding="utf-8").splitlines(), 1)
        for word in REPLACED
        for match in re.finditer(rf"(?<![A-Za-z])({word})(?![A-Za-z])", ALLOWED.sub("", line), re.IGNORECASE)
    ]
    assert not found, "\n".join(found)
