"""``workbench runs list | show | compare | check | repair | rm | empty-trash``: what a store holds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from workbench.commands.flags import Json, Named
from workbench.commands.numbers import in_words, number
from workbench.console import print_json, print_table
from workbench.engine.glossary import TERM
from workbench.engine.words import UserError, counted, plain

if TYPE_CHECKING:
    from workbench.experiments.row import Row
    from workbench.experiments.store import Store

Place = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORE")]
Keys = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="KEY ...")]
ABOUT = ("task", "rule", "settings", "episodes", "seed", "chunk")  # said above the numbers
SHORT = 8  # letters of a key that a table shows


def list_runs(
    store: Place,
    status: Literal["all", "done", "failed", "running", "stopped", "planned", "damaged"] = "all",
    task: Named = None,
    rule: Named = None,
    sort: Literal["time", "return", "shift", "key"] = "time",
    as_json: Json = False,
) -> None:
    """List the runs of a store.

    Args:
        store: Folder or URL of the store.
        status: Only runs in this state.
        task: Only runs of this task.
        rule: Only runs of this rule.
        sort: Order of the list.
    """
    rows = [
        row
        for row in _open(store).rows()
        if status in ("all", row.status) and task in (None, row.task) and rule in (None, row.rule)
    ]
    orders: dict[str, Callable[[Row], Any]] = {
        "time": lambda row: row.finished or "~",
        "return": lambda row: -(row.returns or row.fitted_q or {"mean": float("-inf")})["mean"],
        "shift": lambda row: row.shift if row.shift is not None else float("inf"),
        "key": lambda row: row.key,
    }
    rows.sort(key=orders[sort])
    if as_json:
        print_json([row.as_dict() for row in rows])
        return
    if not rows:
        what = "no run is like that" if status != "all" or task or rule else "no runs yet"
        print(f"{store}: {what}", file=sys.stderr)
        return
    print_table(
        (
            "run",
            "status",
            "task",
            "rule and settings",
            "seed",
            TERM["return"].label,
            "95%",
            TERM["shift.w2"].label,
            "finished",
        ),
        [_cells(row) for row in rows],
    )
    if any(row.fitted_q is not None and row.returns is None for row in rows):
        print("(in brackets: the fitted-Q value; the task has no environment, and no return was measured)")
    _note_damaged(store, [row.key for row in rows if row.status == "damaged"])
    failed = [row for row in rows if row.status == "failed"]
    for row in failed[:10]:
        print(f"{row.key[:SHORT]} failed: {str(row.error).splitlines()[0]}", file=sys.stderr)
    if len(failed) > 10:
        print(f"… and {len(failed) - 10} more failed; --status failed --json has all", file=sys.stderr)


def show(store: Place, key: Annotated[str, tyro.conf.Positional], as_json: Json = False) -> None:
    """Show everything about one run: settings, versions, what happened, results.

    Args:
        store: Folder or URL of the store.
        key: The run's key, or its beginning.
    """
    opened = _open(store)
    whole = opened.find(key)
    (row,) = [row for row in opened.rows() if row.key == whole]
    if row.status == "damaged":
        raise UserError(row.error)
    found: dict[str, Any] = {
        "job": opened.job(whole),
        "events": opened.events(whole),
        "result": opened.result(whole),
        "failure": opened.failure(whole),
    }
    if as_json:
        print_json(found)
        return
    print(f"{row.key}  {row.status}: {row.label} on {row.task}, seed {row.seed}, {counted(row.episodes, 'episode')}")
    if found["job"] is None:
        print("planned; nothing has happened yet")
        return
    if (result := found["result"]) is not None:
        print(f"trained in {opened.where}/{result['training']['folder']} (workbench evaluate reads it)")
        for name in ("choose", "report"):
            print(f"\nto {name}, on evaluation seed {result['evaluation_seeds'][name]}")
            for line in in_words({key: value for key, value in result[name].items() if key not in ABOUT}):
                print(f"  {line}")
    if found["failure"] is not None and found["result"] is None:
        failure = found["failure"]
        print(f"\nfailed {counted(failure['attempts'], 'time')}\n{failure['traceback'] or failure['error']}")
    print("\nsettings")
    _print_flat(found["job"]["job"]["settings"])
    print("\ntraining")
    _print_flat(found["job"]["job"]["training"])
    print("\nwhat happened")
    for event in found["events"]:
        facts = {name: value for name, value in event.items() if name not in ("time", "event", "by")}
        print(f"  {event['time']}  {event['event']:10} {_flat(facts)}")
        if "by" in event:
            by = event["by"]
            packages = " ".join(f"{name} {version}" for name, version in by["packages"].items())
            print(f"  {'':24}  {by['host']}, pid {by['pid']}, python {by['python']}; {packages}")
            if by["code"]:
                print(
                    f"  {'':24}  commit {by['code']['commit'][:12]}{' with changes' if by['code']['changed'] else ''}"
                )


def compare(store: Place, keys: Keys, as_json: Json = False) -> None:
    """Compare runs: what they were told differently, and what they measured on the reporting episodes.

    Runs of the same task, seed and number of episodes met the same starts and noise; the difference of their returns to
    the first run is then taken pair by pair.

    Args:
        store: Folder or URL of the store.
        keys: Two runs or more, by the beginning of their keys.
    """
    from workbench.experiments.compare import compare as compared

    if len(keys) < 2:
        raise UserError(f"compare takes two runs or more, got {len(keys)}; see workbench runs list {store}")
    opened = _open(store)
    named = list(dict.fromkeys(opened.find(key) for key in keys))
    differences = compared(opened, named)
    _note_damaged(store, [key for key in named if all(entry["key"] != key for entry in differences)])
    if as_json:
        print_json(differences)
        return
    names = [entry["key"][:SHORT] for entry in differences]
    lines: list[list[str]] = [["rule", *(entry["rule"] for entry in differences)]]
    for name in dict.fromkeys(name for entry in differences for name in entry["told"]):
        lines.append([name, *(_cell(entry["told"].get(name)) for entry in differences)])
    for name in dict.fromkeys(name for entry in differences for name in entry["measured"]):
        lines.append([TERM[name].head, *(_cell(entry["measured"].get(name)) for entry in differences)])
    lines.append(["return − first, paired", *(_cell(entry["difference"]) for entry in differences)])
    print_table(("", *names), lines)


def check(store: Place, as_json: Json = False) -> None:
    """Read every file of a store and say what is damaged, with the cure; exit code 1 when something is.

    Args:
        store: Folder or URL of the store.
    """
    from workbench.experiments.damage import CURES, open_damaged
    from workbench.experiments.damage import check as look

    files, damages = open_damaged(store)
    damages += look(files)
    if as_json:
        print_json([vars(damage) for damage in damages])
    else:
        for damage in damages:
            print(f"damaged: {damage}; it {CURES[damage.cure]}")
        print(
            f"{len(damages)} damaged; put them in order: workbench runs repair {store}"
            if damages
            else "everything is whole"
        )
    if damages:
        raise SystemExit(1)


def repair(store: Place, dry_run: bool = False) -> None:
    """Put a store in order: damaged runs, sweeps and trainings go to its trash, and the index is made anew.

    Nothing is deleted and nothing is asked. The sweeps that asked for damaged runs do them again.

    Args:
        store: Folder or URL of the store.
        dry_run: Only say what would be done.
    """
    from workbench.experiments.damage import CURES, open_damaged
    from workbench.experiments.damage import check as look
    from workbench.experiments.damage import repair as put_in_order

    files, damages = open_damaged(store)
    damages += look(files)
    for damage in damages:
        print(f"damaged: {damage}")
        if dry_run:
            print(f"  {damage.name} {CURES[damage.cure]}")
    if dry_run:
        print(f"{len(damages)} damaged; nothing was changed (--dry-run)")
        return
    for line in put_in_order(files, damages):
        print(line)


def rm(store: Place, keys: Keys = (), failed: bool = False, yes: bool = False) -> None:
    """Remove runs for good; the next sweep that asks for them does them again. Trained networks stay.

    Args:
        store: Folder or URL of the store.
        keys: Runs, by the beginning of their keys.
        failed: All that failed.
        yes: Do not ask.
    """
    opened = _open(store)
    rows = {row.key: row for row in opened.rows()}
    chosen = [opened.find(key) for key in keys] + [
        row.key for row in rows.values() if failed and row.status == "failed"
    ]
    chosen = [key for key in dict.fromkeys(chosen) if rows[key].status != "planned"]
    if not chosen:
        raise UserError(f"nothing to remove: name runs by their keys (workbench runs list {store}), or --failed")
    for key in chosen:
        print(f"{key[:SHORT]}  {rows[key].status}: {rows[key].label}, seed {rows[key].seed}", file=sys.stderr)
    if yes or _confirmed(len(chosen)):
        opened.remove(chosen)
        print(f"removed {counted(len(chosen), 'run')}")


def empty_trash(store: Place, yes: bool = False) -> None:
    """Remove for good what was deleted on the page Runs, which until then can be put back there.

    Args:
        store: Folder or URL of the store.
        yes: Do not ask.
    """
    opened = _open(store)
    names = opened.trash()
    if not names:
        print("the trash is empty", file=sys.stderr)
        return
    for name in names:
        when, _, rest = name.partition("-")
        print(plain(f"{name.rpartition('-')[2][:SHORT]}  deleted {when} {rest[:6]} UTC"), file=sys.stderr)
    if yes or _confirmed(len(names)):
        print(f"removed {counted(opened.empty_trash(names), 'run')}")


def _note_damaged(store: str, keys: list[str]) -> None:
    """Say which runs are left out because they are damaged."""
    if keys:
        names = ", ".join(key[:40] if "/" in key else key[:SHORT] for key in keys[:5]) + (
            ", …" if len(keys) > 5 else ""
        )
        print(
            f"{len(keys)} damaged, left out of reports: {names}; why: workbench runs check {store}, "
            f"and put in order: workbench runs repair {store}",
            file=sys.stderr,
        )


def _confirmed(count: int) -> bool:
    """Ask; where nobody can answer, UserError."""
    if not sys.stdin.isatty():
        raise UserError(f"this removes {counted(count, 'run')} for good; add --yes")
    if input(f"remove {counted(count, 'run')} for good? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    print("nothing removed", file=sys.stderr)
    return False


def _open(where: str) -> Store:
    from workbench.experiments.store import Store

    return Store(where)


def _cells(row: Row) -> tuple[str, ...]:
    mean, span = "", ""
    if row.returns is not None:
        mean = f"{row.returns['mean']:.3f}"
        span = f"{row.returns['low']:.3f} to {row.returns['high']:.3f}"
    elif row.fitted_q is not None:
        mean = f"({row.fitted_q['mean']:.3f})"
        span = f"{row.fitted_q['low']:.3f} to {row.fitted_q['high']:.3f}"
    shift = "" if row.shift is None else f"{row.shift:.3f}"
    when = "" if row.finished is None else row.finished[:19].replace("T", " ")
    return row.key[:SHORT], row.status, row.task, row.label, str(row.seed), mean, span, shift, when


def _flat(values: dict[str, Any]) -> str:
    return "  ".join(f"{name}={_cell(value)}" for name, value in values.items())


def _print_flat(values: dict[str, Any], skip: tuple[str, ...] = ()) -> None:
    for name, value in values.items():
        if name not in skip:
            print(f"  {name:24} {_cell(value)}")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict) and {"mean", "low", "high"} <= value.keys():
        return number(value)
    if isinstance(value, dict):
        return "  ".join(f"{name}={_cell(item)}" for name, item in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


RUNS: dict[str, Callable[..., None]] = {
    "list": list_runs,
    "show": show,
    "compare": compare,
    "check": check,
    "repair": repair,
    "rm": rm,
    "empty-trash": empty_trash,
}
