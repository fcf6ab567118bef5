"""The page of budgets on its own: ``panel serve apps/budget.py``."""

from workbench.ui.shell.template import serve_page

serve_page("budget")
