"""The page as a snippet for a notebook."""

from __future__ import annotations

from workbench.ui.pages.runs.rows import Filter


def snippet(where: str, wanted: Filter, keys: list[str]) -> str:
    """Code that prints the list, and the comparison of ``keys`` when there are several."""
    several = len(keys) > 1
    lines = [
        "import pandas as pd",
        "",
        *(["from workbench.experiments.compare import compare"] if several else []),
        "from workbench.experiments.store import Store",
        "",
        f"store = Store({where!r})",
        f"rows = [row for row in store.rows() if {wanted.as_code()}]",
        'columns = ["key", "status", "task", "seed", "shift", "gap", "finished"]',
        "table = pd.DataFrame([row.as_dict() for row in rows], columns=columns)",
        'table["rule"] = [row.label for row in rows]',
        'table["return"] = [row.returns and row.returns["mean"] for row in rows]',
        "print(table.to_string(index=False))",
    ]
    if several:
        lines += [
            "",
            f"found = compare(store, {keys!r})",
            'columns = {entry["key"][:8]: entry["told"] | entry["measured"] for entry in found}',
            "print(pd.DataFrame(columns).to_string())",
        ]
    return "\n".join(lines)
