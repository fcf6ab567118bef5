"""The page of one's own files on its own: ``panel serve apps/bring.py``."""

from workbench.ui.shell.template import serve_page

serve_page("bring")
