"""Sphinx configuration."""

project = "tripleo-ffwd"
author = "tripleo-ffwd developers"
copyright = "tripleo-ffwd developers"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "alabaster"
nitpicky = False
