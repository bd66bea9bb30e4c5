"""README's table of settings, from the settings classes; `python -m testing.settings_table` renews it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.compactor.settings import CompactorSettings
from services.data_writer.settings import WriterSettings
from services.jetstream.settings import IngesterSettings
from services.monitoring.settings import HealthSettings
from services.shared.settings import Settings
from services.tools.settings import ToolsSettings
from testing.daemons import REPOSITORY

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

README = REPOSITORY / "README.md"
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
LONGEST = 40


def table() -> str:
    """Return the table in Markdown: of all, of each daemon, of the command."""
    lines = ["| setting | default | effect |", "|---|---|---|"]
    shown: set[str] = set()
    kinds = (Settings, IngesterSettings, WriterSettings, CompactorSettings, HealthSettings, ToolsSettings)
    for kind in kinds:
        for name, field in kind.model_fields.items():
            if name not in shown:
                shown.add(name)
                lines.append(f"| `{name.upper()}` | {_default(field)} | {field.description} |")
    return "\n".join(lines)


def replaced(readme: str) -> str:
    """Return the text with the table between the marks made anew."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value in ("", ()):
        return "-"
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{text}`" if len(text) <= LONGEST else "see below"


if __name__ == "__main__":
    README.write_text(replaced(README.read_text(encoding="utf-8")), encoding="utf-8")
