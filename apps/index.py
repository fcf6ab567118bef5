"""The page that leads to the others: ``panel serve apps/*.py --index index`` opens it at ``/``."""

from workbench.ui.shell.template import serve_page

serve_page("index")
