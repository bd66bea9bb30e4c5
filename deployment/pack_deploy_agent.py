"""The deploy agent as one file, reproducible: `python -m deployment.pack_deploy_agent FILE`."""

from __future__ import annotations

import ast
import io
import sys
import zipfile
from pathlib import Path

SHEBANG = b"#!/usr/bin/env -S python3 -I\n"
FOLDER = Path(__file__).parent / "deploy_agent"
ENTRY = (
    "import os, sys\nfrom deployment.deploy_agent.main import main\nsys.exit(main(sys.argv, os.environ))\n"
)
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""What zip files call the beginning of time."""


def deploy_agent() -> bytes:
    """Return the program: a zip file that Python runs, begun by a line that names Python.

    It must fit into a cloud-config, 32 KiB in all: so without what only readers need, and not compressed,
    because the cloud-config compresses it as a whole, which is far better than file by file.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", ENTRY)
        _add(archive, "deployment/__init__.py", "")
        for path in sorted(FOLDER.glob("*.py")):
            _add(archive, f"deployment/deploy_agent/{path.name}", bare(path.read_text("utf-8")))
    return SHEBANG + packed.getvalue()


def main(words: list[str]) -> int:
    """Write it, to be run."""
    if len(words) != 1:
        print("usage: python -m deployment.pack_deploy_agent FILE", file=sys.stderr)  # noqa: T201 - for who asked
        return 2
    path = Path(words[0])
    path.write_bytes(deploy_agent())
    path.chmod(0o755)
    return 0


def bare(source: str) -> str:
    """Return source without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            said = [statement for statement in node.body if not _is_docstring(statement)]
            node.body = said or [ast.Pass()]
    return ast.unparse(tree) + "\n"


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    archive.writestr(zipfile.ZipInfo(name, LONG_AGO), text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
