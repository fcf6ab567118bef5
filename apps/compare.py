"""The page of comparisons on its own: ``panel serve apps/compare.py``."""

from workbench.ui.shell.template import serve_page

serve_page("compare")
