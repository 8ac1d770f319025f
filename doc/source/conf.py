"""Sphinx configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

project = "tripleo-ffwd"
author = "tripleo-ffwd developers"
copyright = "tripleo-ffwd developers"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "reference"]
html_theme = "alabaster"
nitpicky = False
