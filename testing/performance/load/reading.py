"""Questions to an archive that is being written: what an analyst would ask, and that nothing vanishes."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import duckdb

LIKES = """
    SELECT subject_uri, count(*) AS likes FROM read_parquet('{root}/raw/likes/**/*.parquet')
    WHERE operation = 'create' GROUP BY 1 ORDER BY 2 DESC LIMIT 10
"""
LANGUAGES = """
    SELECT unnest(langs), count(*) FROM read_parquet('{root}/raw/posts/**/*.parquet')
    GROUP BY 1 ORDER BY 2 DESC
"""
COUNT = "SELECT count(*), max(time_us) FROM read_parquet('{root}/raw/likes/**/*.parquet')"
QUESTIONS = {"count of likes": COUNT, "most liked": LIKES, "languages": LANGUAGES}


class Reading:
    """One reader with a DuckDB of its own, of one thread: it shall not take the machine."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._duckdb = duckdb.connect(config={"threads": 1})
        self._names = cycle(QUESTIONS)
        self._rows = 0

    def ask(self) -> tuple[str | None, str | None, int]:
        """Ask the next question: its name, what was wrong, and the rows; no name while there is no part."""
        if not all(any(Path(self._root, stream).rglob("*.parquet")) for stream in ("likes", "posts")):
            return None, None, 0
        name = next(self._names)
        try:
            answer = self._duckdb.execute(QUESTIONS[name].format(root=self._root)).fetchall()
        except duckdb.Error as error:
            return name, str(error), 0
        if name != "count of likes":
            return name, None, len(answer)
        rows, before = int(answer[0][0]), self._rows
        self._rows = rows
        return name, f"{before} rows became {rows}" if rows < before else None, rows
