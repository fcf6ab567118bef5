"""The page of runs on its own: ``panel serve apps/runs.py``."""

from workbench.ui.shell.template import serve_page

serve_page("runs")
