"""Settings of the documentation site; `make docs` builds it into build/docs."""

from rac import __version__

project = "rac"
copyright = "the rac authors, Apache-2.0"
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
exclude_patterns = ["_build", "error-study-notes.md"]

html_theme = "furo"
html_title = f"rac {__version__}"
html_show_sphinx = False
html_copy_source = False
