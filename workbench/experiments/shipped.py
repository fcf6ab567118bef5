"""A small measured store that comes with the package, so that no page is empty before one's own first sweep.

It is one file: the results of `GRID` as a store has them, and the episodes behind them. It is read by the reader of own stores
(`workbench.experiments.reading`), which trusts it no more than any other file, and it gives way to one's own results.
"""

from __future__ import annotations

import functools
import io
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbench.engine.data.atomic import write_atomic
from workbench.engine.data.npz import read_arrays
from workbench.engine.steering.rules import RULES
from workbench.engine.training.plan import extra_parts
from workbench.engine.words import UserError
from workbench.experiments import reading
from workbench.experiments.grid import Grid
from workbench.experiments.reading import MEASURED, RETURNS
from workbench.experiments.store import Store

FILE = Path(__file__).parent / "shipped.npz"
COMMAND = "python -m benchmarks shipped_store"
RECORDS = "records"  # the member that holds the results: a row each, JSON in UTF-8 with spaces behind it
MOST_BYTES = 64 * 2**20  # unpacked
DIGITS = 6  # of a measurement: an interval says far less

WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FEWER = (0.1, 0.3, 1.0, 3.0, 10.0)  # of rules that are like QGF, or cost several times as much
STRENGTHS: dict[str, tuple[float, ...]] = {
    "grad_step": (1, 2, 5, 10, 20, 40),
    "vgf": (1, 2, 3, 5, 10),
    "vgf_zero": (1, 3, 10),
    "best_of_n": (2, 4, 8, 16, 32),
    "idql": (2, 5, 20),
    "bptt": FEWER,
    "noisy": FEWER,
    "qpilots_u": FEWER,
    "qpilots_m": FEWER,
}
# Every rule that needs the behaviour flow and the critic alone: what can be had at test time.
TEST_TIME = tuple(name for name, rule in RULES.items() if rule.needs[0] == "reference" and not extra_parts(rule.needs))
GRID = Grid(
    tasks=("three_exits",),
    rules=TEST_TIME,
    axes={f"{name}.{RULES[name].strength}": STRENGTHS.get(name, WEIGHTS) for name in TEST_TIME if RULES[name].bc_at},
    seeds=(0, 1, 2, 3, 4),
    episodes=100,
)


class Shipped(NamedTuple):
    """What comes with the package.

    Attributes
    ----------
    measured : list of (dict, dict of str to ndarray)
        Results and their episodes, as `Store.measured` gives them.
    version : str
        Of the workbench that measured them.
    words : str
        What every picture of them says.
    """

    measured: list[tuple[dict[str, Any], dict[str, np.ndarray]]]
    version: str
    words: str


def pack(store: Store, file: Path = FILE) -> int:
    """Write the results of `GRID` in ``store`` to one ``file``; the number of bytes.

    Raises
    ------
    UserError
        A job of the grid has no result there.
    """
    keys = [job.key for job in GRID.jobs()]
    whole, damaged = store.measured(keys)
    if len(whole) < len(keys) or damaged:
        raise UserError(f"{store.where} has {len(whole)} of the {len(keys)} results; run its sweep to the end first")
    texts = [json.dumps(_short(result), separators=(",", ":"), allow_nan=False).encode() for result, _ in whole]
    longest = max(map(len, texts))
    arrays = {name: np.stack([episodes[name] for _, episodes in whole]) for name in (*RETURNS, *MEASURED)}
    arrays |= {name: arrays[name].astype(np.float16) for name in MEASURED}  # three digits
    rows = [np.frombuffer(text.ljust(longest), np.uint8) for text in texts]
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **{RECORDS: np.stack(rows)} | arrays)
    write_atomic(file, content.getvalue())
    return file.stat().st_size


def read_shipped(file: Path = FILE) -> Shipped:
    """Read and check such a file.

    Raises
    ------
    UserError
        It is damaged, or no such file.
    """
    arrays = read_arrays(file, (RECORDS, *RETURNS, *MEASURED), max_bytes=MOST_BYTES)
    if missing := {RECORDS, *RETURNS, *MEASURED} - arrays.keys():
        raise UserError(f"{file.name}: '{min(missing)}' is missing; install the workbench again")
    measured = []
    for place, text in enumerate(arrays.pop(RECORDS)):
        result = reading.record(reading.Result, text.astype(np.uint8).tobytes())
        count = result["job"]["episodes"]
        for name, array in arrays.items():
            if array.shape[1:] != (count,) or not np.isfinite(array[place]).all():
                raise UserError(f"{file.name}: '{name}' does not hold {count} finite numbers a run")
        measured.append((result, {name: array[place].astype(np.float32) for name, array in arrays.items()}))
    if not measured:
        raise UserError(f"{file.name}: it holds no results; install the workbench again")
    version = measured[0][0]["by"]["packages"]["workbench"]
    return Shipped(measured, version, f"shipped example: measured with workbench {version} by {COMMAND}")


shipped = functools.cache(read_shipped)


def _short(result: dict[str, Any]) -> dict[str, Any]:
    """A result with as many digits as mean something, and without the machine's name."""
    by = result["by"] | {"host": "not kept", "pid": 0, "platform": result["by"]["platform"].partition("-")[0]}
    return {**_rounded(result), "key": result["key"], "job": result["job"], "by": by}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{DIGITS}g}")
    return value
