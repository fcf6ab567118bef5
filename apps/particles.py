"""The page of particles on its own: ``panel serve apps/particles.py``."""

from workbench.ui.shell.template import serve_page

serve_page("particles")
