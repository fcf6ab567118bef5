"""The capstone's scoreboard: a rule's return on three exits, and whether it kept within the allowed shift."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from workbench.course.record import Kept, read, write
from workbench.engine.data.atomic import write_atomic
from workbench.engine.data.records import checked, read_json
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.words import SaidError, plain
from workbench.ui.session import parts_for

SHARED = "WORKBENCH_SCOREBOARD"  # a folder that all participants can write to
EPISODES, SEED = 600, 20_26  # nobody chooses a budget on these episodes
LIMIT = 0.05  # Wasserstein-2 distance from the behaviour policy, action units
TO_BEAT = 0.80


@dataclass(frozen=True)
class Board:
    """The table of tries, best first; those beyond the allowed shift stand below."""

    rows: tuple[dict[str, Any], ...]

    def __repr__(self) -> str:
        lines = [f"{'':3}{'who':16}{'return':>8}{'shift':>8}  rule"]
        for place, row in enumerate(self.rows, 1):
            mark = f"{place:2} " if row["valid"] else " – "
            lines.append(f"{mark}{row['who'][:15]:16}{row['return']:8.3f}{row['w2']:8.3f}  {row['rule']}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th style="text-align:left;padding:2px 14px">{name}</th>'
            for name in ("", "who", "return", "shift (W2)", "rule")
        )
        body = ""
        for place, row in enumerate(self.rows, 1):
            mark = str(place) if row["valid"] else "too far"
            won = " 🏁" if row["valid"] and row["return"] >= TO_BEAT else ""
            cells = (mark, row["who"], f"{row['return']:.3f}{won}", f"{row['w2']:.3f}", row["rule"])
            body += (
                "<tr>"
                + "".join(f'<td style="text-align:left;padding:2px 14px">{escape(c)}</td>' for c in cells)
                + "</tr>"
            )
        return f'<table class="wb-board"><tr>{head}</tr>{body}</table>'


def score(rule: Rule | str, **settings: Any) -> Board:
    """Play a rule on episodes that nobody has chosen on, keep the result, and show the scoreboard.

    Parameters
    ----------
    rule : Rule or str
        A rule, or its name and settings: ``score("qgf", weight=0.3)``.

    Raises
    ------
    ValueError
        An unknown rule or setting.
    """
    made = make_rule(rule, **settings) if isinstance(rule, str) else rule
    if not isinstance(made, Rule):
        raise ValueError(
            f"score takes a rule: wb.course.score(wb.make_rule('qgf', weight=0.3)); got {type(made).__name__}"
        )
    found = evaluate(made, parts_for("three_exits"), ThreeExits(), EPISODES, SEED)
    entry = {
        "rule": words(made),
        "return": round(found.returns.mean, 4),
        "low": round(found.returns.low, 4),
        "high": round(found.returns.high, 4),
        "w2": round(found.shift.w2, 4),
        "valid": found.shift.w2 <= LIMIT,
        "when": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    record = read()
    if all(entry["rule"] != old["rule"] for old in record["scores"]):
        record["scores"].append(entry)
        write(record)
    share(record)
    return scoreboard()


def words(rule: Rule) -> str:
    """The rule's name and the settings that differ from its defaults."""
    settings = {
        name: value for name, value in rule.model_dump().items() if value != type(rule).model_fields[name].default
    }
    shown = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in settings.items()]
    return " ".join([rule.name, *shown])


def share(record: Mapping[str, Any]) -> None:
    """Copy this participant's scores into the shared folder, where there is one."""
    folder = os.environ.get(SHARED)
    if folder:
        who = record["participant"] or Path.cwd().name
        name = re.sub(r"[^\w.-]", "_", who)
        Path(folder).mkdir(parents=True, exist_ok=True)
        text = json.dumps({"participant": who, "scores": record["scores"]}, ensure_ascii=False, allow_nan=False)
        write_atomic(Path(folder) / f"{name}.json", text.encode())


def scoreboard() -> Board:
    """All scores: yours, and those of the others where a shared folder is named by WORKBENCH_SCOREBOARD."""
    record = read()
    me = record["participant"] or "you"
    everyone = {me: record["scores"]}
    folder = os.environ.get(SHARED)
    if folder and Path(folder).is_dir():
        for path in sorted(Path(folder).glob("*.json")):
            try:
                other = checked(Kept, read_json(path))
                everyone.setdefault(plain(other.participant), [one.model_dump(by_alias=True) for one in other.scores])
            except (SaidError, OSError):
                continue  # somebody's file is damaged: the others' scores still stand
    rows = [{"who": who} | row for who, scores in everyone.items() for row in scores]
    return Board(tuple(sorted(rows, key=lambda row: (not row["valid"], -row["return"]))))
