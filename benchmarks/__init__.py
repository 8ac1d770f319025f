"""What `make bench` runs; the tests' helpers are used, so their directory is on the path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
