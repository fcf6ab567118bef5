"""The page of particles on its own: ``panel serve apps/particles.py``."""

from workbench.ui.page import TITLE, particles_page

particles_page().servable(title=TITLE)
