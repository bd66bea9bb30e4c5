"""Make one of README's pictures from a real run; the help names how long each takes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image

from testing.docs.pictures import calendar, sources
from testing.harness.programs import as_program

FOLDER = Path(__file__).parent
UNUSABLE = 2
LARGEST_BYTES = 200_000
PIXELS_WIDE = 1400


def main(words: list[str]) -> int:
    """Write the picture; returns 2 if its source is missing."""
    parser = argparse.ArgumentParser(prog="python -m testing.docs.pictures", description=__doc__)
    kinds = parser.add_subparsers(dest="picture", required=True)
    kinds.add_parser("calendar", help="coverage of five days that the writer commits; half a minute")
    plot = kinds.add_parser("load", help="a plot of the newest report of `make load SHAPE=spike`; immediate")
    plot.add_argument("--report", type=Path, help="another report.html")
    stack = kinds.add_parser("pipeline", help="the dashboard, from a demo stack of its own; needs Docker")
    stack.add_argument("--minutes", type=float, default=sources.MINUTES, help="how long it runs")
    parsed = parser.parse_args(words)
    path = FOLDER / f"{parsed.picture}.{'png' if parsed.picture == 'pipeline' else 'svg'}"
    try:
        if parsed.picture == "pipeline":
            print(f"Starts the demo stack and waits {parsed.minutes:g} minutes ...", flush=True)
            sources.draw_pipeline(path, parsed.minutes)
            _shrink(path)
        else:
            path.write_text(_svg(parsed), encoding="utf-8")
    except (sources.NoReportError, AssertionError) as error:
        print(error)
        return UNUSABLE
    print(f"{path}: {path.stat().st_size:,} bytes of at most {LARGEST_BYTES:,}")
    return 0


def _svg(parsed: argparse.Namespace) -> str:
    if parsed.picture == "calendar":
        return calendar.picture()
    return sources.load_plot((parsed.report or sources.newest_report()).read_text(encoding="utf-8"))


def _shrink(path: Path) -> None:
    """Scale the picture to the width of a page and reduce its colours."""
    with Image.open(path) as picture:
        high = round(picture.height * PIXELS_WIDE / picture.width)
        small = picture.convert("RGB").resize((PIXELS_WIDE, high), Image.Resampling.LANCZOS)
        small.quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(as_program(main))
