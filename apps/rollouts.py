"""The page of rollouts on its own: ``panel serve apps/rollouts.py``."""

from workbench.ui.shell.template import serve_page

serve_page("rollouts")
