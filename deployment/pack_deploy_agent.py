"""Pack the deploy agent into one file, reproducibly: `python -m deployment.pack_deploy_agent FILE`."""

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
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold; the same for every entry."""


def deploy_agent() -> bytes:
    """Return the program: a zip file that Python runs, behind a shebang line.

    It must fit into a cloud-config of 32 KiB: hence without comments and docstrings. It is not compressed
    here, because the cloud-config is compressed as a whole, which is far smaller than file by file.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", ENTRY)
        _add(archive, "deployment/__init__.py", "")
        for path in sorted(FOLDER.glob("*.py")):
            _add(archive, f"deployment/deploy_agent/{path.name}", bare(path.read_text("utf-8")))
    return SHEBANG + packed.getvalue()


def main(words: list[str]) -> int:
    """Write it to a file and make that executable."""
    if len(words) != 1:
        print("usage: python -m deployment.pack_deploy_agent FILE", file=sys.stderr)  # noqa: T201 - a usage error
        return 2
    path = Path(words[0])
    path.write_bytes(deploy_agent())
    path.chmod(0o755)
    return 0


def bare(source: str) -> str:
    """Return Python source without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            body = [statement for statement in node.body if not _is_docstring(statement)]
            node.body = body or [ast.Pass()]
    return ast.unparse(tree) + "\n"


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    archive.writestr(zipfile.ZipInfo(name, EARLIEST), text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
