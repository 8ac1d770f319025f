"""Sphinx configuration."""

project = "tripleo-ffwd"
author = "tripleo-ffwd developers"
copyright = "tripleo-ffwd developers"
extensions = ["sphinx.ext.autodoc"]
html_theme = "alabaster"
nitpicky = False
