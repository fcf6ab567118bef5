"""A table as the bytes of a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def csv_of(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """One line of ``heads``, then one line for each of ``rows``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return text.getvalue().encode()
