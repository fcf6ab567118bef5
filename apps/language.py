"""The page of language on its own: ``panel serve apps/language.py``."""

from workbench.ui.shell.template import serve_page

serve_page("language")
