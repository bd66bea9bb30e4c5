"""Which commands README names, what each must say, and which cannot run on a bare machine. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from testing.docs.markdown import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENT = re.compile(r"\s+# .*$")


class Why(StrEnum):
    """Why a command does not run here: the whole list."""

    TESTS = "it is `make test` itself"
    IMAGES = "it needs the real images"
    GITHUB = "it needs GitHub"
    HETZNER = "it needs an account at Hetzner"
    PUBLIC_HOSTS = "it reads the public hosts"


NOT_RUN = {
    "make test": Why.TESTS,
    "make run": Why.PUBLIC_HOSTS,
    "docker compose up --build --wait": Why.IMAGES,
    "curl http://127.0.0.1:9103/healthz": Why.IMAGES,
    "docker compose exec data_writer archive status": Why.IMAGES,
    "docker compose down": Why.IMAGES,
}
"""Every command that README names and the newcomer does not type. It may only grow shorter."""

SAYS = {
    "make demo": r"([\d,]+) generated, \1 committed, 0 lost, 0 doubled, 0 altered",
    "export ARCHIVE_ROOT=.demo/latest/archive": r"^$",
    'make archive ARGS="status"': r"(?s)archive [0-9a-f]{16}.*posts.*likes.*all.*gaps.*writer.*disk",
    'make archive ARGS="verify"': r"all as written, each event once",
    "make archive ARGS=\"sql 'SELECT langs[1] AS language, count(*) AS posts FROM posts "
    "GROUP BY ALL ORDER BY posts DESC LIMIT 5'\"": r"(?s)language +posts.*en +\d",
    "unset ARCHIVE_ROOT": r"^$",
    "make secrets": r"grafana_admin",
}
"""Every command that the newcomer types, and what README's text promises of it: a pattern of what is said."""


def commands(readme: str) -> Iterator[str]:
    """Yield the commands of README's `sh` blocks in order, without their comments."""
    for block in blocks(readme, "sh"):
        for line in block.code.splitlines():
            command = _COMMENT.sub("", line).strip()
            if command:
                yield command
