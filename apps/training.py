"""The page of training on its own: ``panel serve apps/training.py``."""

from workbench.ui.shell.template import serve_page

serve_page("training")
