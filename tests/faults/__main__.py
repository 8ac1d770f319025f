"""The long mode: ``python -m faults [--rows a,b] [--seed N] [--moments N] [--state FILE]``, with tests/ on the path.

It prints each row and moment as it passes or fails. With the same state file it goes on where it was ended: what has
passed is not run again, what has failed is.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from faults.going import Labs, go, labs
from faults.table import BY_NAME, ROWS, Row

SMALL = "4m"


def main() -> int:
    """Run rows at moments; return 0 when all have passed."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--rows", default="", help="names of rows, separated by commas; all by default")
    parser.add_argument("--seed", default="1", help="what the moments are drawn from")
    parser.add_argument("--moments", type=int, default=10, help="how many moments a row")
    parser.add_argument("--first", type=int, default=0, help="number of the first moment")
    parser.add_argument("--state", type=Path, help="file that says what has passed; made when it isn't there")
    parser.add_argument("--root", type=Path, help="where to make a directory to work in; /tmp by default")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.list:
        print("\n".join(f"{row.name:22}{row.what}" for row in ROWS))
        return 0
    names = args.rows.replace(",", " ").split() or list(BY_NAME)
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        parser.error(f"no such rows: {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda number, _frame: sys.exit(128 + number))  # what was started is ended on the way
    if args.root:
        args.root.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="faults-", dir=args.root))
    code = _all([BY_NAME[name] for name in names], args, root)
    if code:
        print(f"What the failed ones have left: {root}/*/failed-*")
    else:
        shutil.rmtree(root)
    return code


def _all(rows: list[Row], args: argparse.Namespace, root: Path) -> int:
    known: dict[str, str] = json.loads(args.state.read_text()) if args.state and args.state.exists() else {}
    with labs(root) as opened:
        # Moment by moment: ended at any time, all rows have had about as many.
        for number in range(args.first, args.first + args.moments):
            for row in rows:
                key = f"{row.name} {args.seed}.{number}"
                if known.get(key) == "passed":
                    continue
                known[key] = _one(opened, row, f"{args.seed}.{number}", args.inside)
                if args.state:
                    args.state.write_text(json.dumps(known, indent=1) + "\n")
    return _report(rows, known)


def _one(opened: Labs, row: Row, seed: str, inside: bool) -> str:
    begun = time.monotonic()
    if why := row.obstacle():
        print(f"SKIPPED {row.name} {seed}: {why}", flush=True)
        return "skipped"
    try:
        if row.disk and not inside:
            _on_small_disk(opened.root / "small", row, seed)
            told = ""
        else:
            case = go(opened.of(row), row, seed)
            told = f", {case.moment} records, {len(case.chain)} runs"
    except Exception:  # noqa: BLE001 - the table goes on, and says so at its end
        print(f"FAILED {row.name} {seed}\n{traceback.format_exc()}", flush=True)
        return "failed"
    print(f"passed {row.name} {seed} ({time.monotonic() - begun:.0f} s{told})", flush=True)
    return "passed"


def _on_small_disk(directory: Path, row: Row, seed: str) -> None:
    """Run a row in a mount namespace of its own, where `directory` is a small file system; needs no root."""
    directory.mkdir(exist_ok=True)
    base, number = seed.rsplit(".", 1)
    words = [sys.executable, "-m", "faults", "--inside", "--rows", row.name, "--seed", base, "--first", number]
    script = f'mount -t tmpfs -o size={SMALL},mode=0700 tmpfs "$0" && exec "$@"'
    inside = [*words, "--moments", "1", "--root", str(directory / "root")]
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, str(directory), *inside],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def _report(rows: list[Row], known: dict[str, str]) -> int:
    print()
    failed = 0
    for row in rows:
        found = [state for key, state in known.items() if key.split()[0] == row.name]
        failed += found.count("failed")
        skipped = f" {found.count('skipped'):4} skipped" if "skipped" in found else ""
        print(f"{row.name:22}{found.count('passed'):4} passed {found.count('failed'):4} failed{skipped}")
    print(f"{len(rows)} rows, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
