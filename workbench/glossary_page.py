"""The glossary as a page of the docs: ``python -m workbench.glossary_page docs/glossary.md``."""

from __future__ import annotations

import sys
from pathlib import Path

from workbench.engine.data.atomic import write_atomic
from workbench.engine.glossary import TERMS
from workbench.engine.vocabulary import RETIRED, WORDS

HEAD = """# Glossary

One word per thing, on every page, in every file and message. Pages, tables and files
take their words from the same place as this page:
[`glossary.py`](../workbench/engine/glossary.py) and [`vocabulary.py`](../workbench/engine/vocabulary.py). It is made by
`python -m workbench.glossary_page docs/glossary.md`; [measurements.md](measurements.md) has the formulas.

## Words
"""
NUMBERS = """
## Numbers

*Key* is the name in `--json`, in results of a store and, with underscores, in CSV files. A distance between finite samples is
above 0 by chance; where that floor is not 0, its square is taken off before the root. Numbers at *behaviour states* are measured
at the same states for every rule; those at *own states* where the steered policy goes; those of one state on pages that show one.
"""


def page() -> str:
    """Markdown of the whole glossary."""
    lines = [HEAD]
    lines += [f"- **{word}**: {meaning}." for word, meaning in WORDS.items()]
    lines += [NUMBERS, "| label | key | unit | says | hides | states | computed by |", "|---|---|---|---|---|---|---|"]
    for term in TERMS:
        label = f"**{term.label}**" + (f" {term.symbol}" if term.symbol else "")
        cells = (label, f"`{term.key}`", term.unit, term.meaning, term.hides, term.where, f"`{term.function}`")
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    lines += ["", "## Words of earlier versions", "", "| was | is |", "|---|---|"]
    lines += [f"| {old} | {new} |" for old, new in RETIRED.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_atomic(Path(sys.argv[1]), page().encode())
