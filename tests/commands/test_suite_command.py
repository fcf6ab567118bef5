"""``workbench suite``: what it is before it runs, what it refuses, and a run that is gone on with."""

import json
from pathlib import Path

from commands.running import Command, check, everything
from experiments.tiny_suite import tiny_suite

TINY = tiny_suite(("plane",), (0,))


def test_how_much_it_is_before_it_runs(command: Command, inside: Path) -> None:
    listed = command("suite", "--list", "--workers", 4)
    assert listed.code == 0
    for name in (
        "smoke",
        "laptop",
        "methods",
        "methods-larger",
        "methods-maze",
        "paper-qgf",
        "paper-vgf",
        "time with 4 workers",
    ):
        assert name in listed.out
    one, four = (command("suite", "smoke", "--dry-run", "--json", "--workers", count).json for count in (1, 4))
    (line,) = one["protocols"]
    assert (line["methods"], line["tasks"], line["seeds"], line["jobs"], line["trainings"]) == (3, 2, 2, 20, 4)
    assert four["protocols"][0]["minutes"] <= line["minutes"]
    assert everything(inside) == {}


def test_what_it_refuses(command: Command, inside: Path) -> None:
    check(
        command("suite"), "name a protocol: laptop, methods, methods-larger, methods-maze, paper-qgf, paper-vgf, smoke"
    )
    check(command("suite", "smok", "--store", "s"), "no protocol named 'smok'; did you mean 'smoke'?")
    check(command("suite", "smoke"), "--store DIR says where results are kept")
    check(command("suite", "no.toml", "--store", "s"), "no.toml: no such file")
    check(command("suite", "smoke", "--store", "s", "--out", "x.pdf"), "--out must end in .html")
    check(command("suite", "smoke", "--store", "s", "--docs", "no/x.md"), "the folder no does not exist")
    check(command("suite", "smoke", "--store", "memory://s"), "say where the datasets go: --data DIR")
    check(command("suite", "smoke", "--store", "s", "--only", "BC", "qgf"), "has no method 'qgf'; did you mean 'QGF'?")
    check(command("suite", "smoke", "--store", "s", "--workers", 0), "--workers must be 1 to 4096, got 0")
    check(command("suite", "smoke", "--store", "s", "--scheduler", "tcp://x:1"), "--scheduler is for --executor dask")
    Path("mine.toml").write_text(TINY.replace("steps = 20", "stepps = 20"), encoding="utf-8")
    done = command("suite", "mine.toml", "--store", "s")
    assert done.code == 2
    assert "no setting 'stepps'; did you mean 'steps'?" in done.err
    assert "in protocol 'mine', method 'flow' on task 'plane'" in done.err
    assert set(everything(inside)) == {"mine.toml"}


def test_a_run_and_its_tables(command: Command, inside: Path) -> None:
    Path("mine.toml").write_text(TINY, encoding="utf-8")
    asked = ("suite", "mine.toml", "--store", "store", "--workers", 1)
    done = command(*asked, "--json")
    assert done.code == 0, done
    assert (done.json["done"], done.json["total"], done.json["failed"]) == (3, 3, 0)
    assert {one["method"] for one in done.json["standings"]} == {"flow", "QGF"}
    (sweep,) = [json.loads(path.read_text()) for path in Path("store", "sweeps").iterdir()]
    assert sweep["command"] == "workbench suite mine.toml --store store"
    again = command(*asked, "--out", "t.html", "--docs", "t.md")
    assert again.code == 0, again
    assert "3 of 3 jobs done" in again.out
    assert "interquartile mean" in again.out
    text = Path("t.md").read_text(encoding="utf-8")
    assert "workbench suite mine.toml --store store --out t.html --docs t.md" in text
    assert "one training seed there is nothing to resample" in text
    assert "All tasks together" in Path("t.html").read_text(encoding="utf-8")
    listed = command("runs", "list", "store", "--json")
    assert len(listed.json) == 3
    assert command("report", "store", "--out", "r.html").code == 0


def test_some_methods_now_and_the_others_later(command: Command, inside: Path) -> None:
    Path("mine.toml").write_text(TINY, encoding="utf-8")
    asked = ("suite", "mine.toml", "--store", "store", "--workers", 1, "--docs", "t.md")
    few, whole = (command("suite", "mine.toml", "--dry-run", "--json", *only) for only in (("--only", "QGF"), ()))
    assert [one.json["protocols"][0]["jobs"] for one in (few, whole)] == [2, 3]
    first = command(*asked, "--only", "QGF", "--json")
    assert first.code == 0, first
    assert (first.json["done"], first.json["total"]) == (2, 2)
    text = Path("t.md").read_text(encoding="utf-8")
    assert "not whole yet: 1 of 2 cells" in text
    assert "workbench suite mine.toml --store store --docs t.md\n" in text, "the line that goes on with all of it"
    second = command(*asked, "--only", "flow", "--json")
    assert second.code == 0, second
    assert {one["method"] for one in second.json["standings"]} == {"flow", "QGF"}, "whatever is measured"
    sweeps = {json.loads(path.read_text())["command"] for path in Path("store", "sweeps").iterdir()}
    assert sweeps == {f"workbench suite mine.toml --store store --docs t.md --only {name}" for name in ("QGF", "flow")}
