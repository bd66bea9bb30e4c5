"""Make one of README's pictures anew, from a real run; each says how long it takes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image

from testing.docs.pictures import architecture, calendar, load, pipeline
from testing.harness.programs import as_program

FOLDER = Path(__file__).parent
UNUSABLE = 2
LARGEST_BYTES = 200_000
PIXELS_WIDE = 1400


def main(words: list[str]) -> int:
    """Write the picture; returns 2 where what it is made from is missing."""
    parser = argparse.ArgumentParser(prog="python -m testing.docs.pictures", description=__doc__)
    kinds = parser.add_subparsers(dest="picture", required=True)
    kinds.add_parser("architecture", help="the spine; at once")
    kinds.add_parser("calendar", help="coverage of five days that the writer commits; half a minute")
    plot = kinds.add_parser("load", help="a plot of the newest report of `make load SHAPE=spike`; at once")
    plot.add_argument("--report", type=Path, help="another report.html")
    stack = kinds.add_parser("pipeline", help="the dashboard, from a demo stack of its own; needs Docker")
    stack.add_argument("--minutes", type=float, default=pipeline.MINUTES, help="how long it runs")
    asked = parser.parse_args(words)
    path = FOLDER / f"{asked.picture}.{'png' if asked.picture == 'pipeline' else 'svg'}"
    try:
        if asked.picture == "pipeline":
            print(f"Starts the demo stack and waits {asked.minutes:g} minutes ...", flush=True)
            pipeline.write(path, asked.minutes)
            _shrink(path)
        else:
            path.write_text(_svg(asked), encoding="utf-8")
    except (load.NoReportError, AssertionError) as error:
        print(error)
        return UNUSABLE
    print(f"{path}: {path.stat().st_size:,} bytes of at most {LARGEST_BYTES:,}")
    return 0


def _svg(asked: argparse.Namespace) -> str:
    if asked.picture == "architecture":
        return architecture.drawing()
    if asked.picture == "calendar":
        return calendar.picture()
    return load.plot((asked.report or load.newest()).read_text(encoding="utf-8"))


def _shrink(path: Path) -> None:
    """Make it as wide as a page shows it, in few colours."""
    with Image.open(path) as picture:
        high = round(picture.height * PIXELS_WIDE / picture.width)
        small = picture.convert("RGB").resize((PIXELS_WIDE, high), Image.Resampling.LANCZOS)
        small.quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(as_program(main))
