"""Takes pictures of the report with a headless Chromium: light and dark, wide and narrow, on paper.

``python -m browser OUT`` with ``tests`` in PYTHONPATH; prints SKIPPED when there is no Chromium.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import pages

from tripleo_ffwd.reporting import page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Name, width, height, dark.
SHOTS = (
    ("wide-light", 1500, 5200, False),
    ("wide-dark", 1500, 5200, True),
    ("narrow-light", 420, 4200, False),
    ("narrow-dark", 420, 2400, True),
)
SECONDS = 120
# What a page of 300 hosts may weigh.
MOST_BYTES = 3_000_000


def main(out: Path) -> int:
    browser = next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *NAMES))), None)
    if browser is None:
        print("SKIPPED test-browser: there is no Chromium")
        return 0
    out.mkdir(parents=True, exist_ok=True)
    file = out / "report.html"
    text = page.render(pages.report())
    file.write_text(text, encoding="utf-8")
    # The same with every host's own line in sight, which is a click away.
    opened = out / "report-every-host.html"
    opened.write_text(re.sub(r"<details>(?=<summary>Every host)", "<details open>", text), encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES, f"the page has {len(text.encode())} bytes"
    shots = [(name, file, width, height, dark) for name, width, height, dark in SHOTS]
    shots.append(("every-host", opened, 1500, 9000, False))
    with tempfile.TemporaryDirectory() as profile:
        for name, source, width, height, dark in shots:
            target = out / f"{name}.png"
            options = [f"--screenshot={target}", f"--window-size={width},{height}", "--hide-scrollbars"]
            _browse(
                browser, profile, source, [*options, *(["--blink-settings=preferredColorScheme=0"] if dark else [])]
            )
            assert target.stat().st_size > 10_000, f"{target} shows nothing"
        paper = out / "print.pdf"
        _browse(browser, profile, file, [f"--print-to-pdf={paper}", "--no-pdf-header-footer"])
        assert paper.stat().st_size > 10_000, "nothing was printed"
    print(f"{len(shots) + 1} pictures in {out}; the page has {len(text.encode()) / 1e6:.2f} MB")
    return 0


def _browse(browser: str, profile: str, source: Path, options: list[str]) -> None:
    fixed = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"]
    subprocess.run(
        [browser, *fixed, *options, source.resolve().as_uri()], check=True, timeout=SECONDS, capture_output=True
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
