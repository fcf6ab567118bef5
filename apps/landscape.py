"""The page of landscapes on its own: ``panel serve apps/landscape.py``."""

from workbench.ui.shell.template import serve_page

serve_page("landscape")
