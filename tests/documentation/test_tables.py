"""What the pages say of the suites' tables is read off them."""

import re
from pathlib import Path

from workbench.experiments.suites.protocol import load_protocol

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")


def of_maze() -> dict[str, list[float]]:
    """Success at each goal of the maze, by method."""
    part = TEXT.partition("## Task by task")[2]
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in part.splitlines() if line.startswith("|")
    ]
    mazes = [row for row in rows if row[0].startswith("maze")]
    return {
        name: [float(re.split(r"[ \\]", row[place])[0]) for row in mazes] for place, name in enumerate(rows[0]) if place
    }


def test_what_is_said_of_the_maze() -> None:
    found = of_maze()
    assert all(len(goals) == 3 for goals in found.values())
    assert all(min(found[name]) > 0.9 for name in ("QGF", "QGF-Jacobian", "BPTT"))
    assert all(found[name][0] < 0.5 and min(found[name][1:]) > 0.9 for name in ("VGF", "Best of 16"))
    assert max(found["FQL"]) == 0.0
    assert max(found["GradStep"]) < 0.1


def of_methods(page: str = "methods_measured") -> dict[str, float]:
    """What each method scores, by a suite's page: its return on three_exits, or success in the maze."""
    part = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").partition("## All tasks together")[2]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in part.partition("##")[0].splitlines()]
    return {row[0]: float(row[1].split(" ")[0]) for row in rows if len(row) > 2 and row[1][:1].isdigit()}


def chosen(page: str) -> dict[str, str]:
    """The strengths that each method of a suite's page was given."""
    part = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").partition("## Strengths that were chosen")[2]
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in part.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[3] for row in rows[2:]}


def test_what_is_said_of_all_methods() -> None:
    found = of_methods()
    assert len(found) == 50
    assert max(found.values()) == found["ReBRAC"] == found["IQL (advantage-weighted)"]
    references = {
        name: found[name]
        for name in ("QGF", "QGF, Gaussian", "QGF, mean flow, T = 1", "QGF, mean flow, T = 10", "QGF, T = 1")
    }
    assert max(references, key=references.__getitem__) == "QGF, Gaussian"
    assert found["QGF, mean flow, T = 1"] > found["QGF"] > found["QGF, T = 1"]
    assert found["BC, T = 1"] < 0.1 < found["BC, mean flow, T = 1"]
    assert round(found["DSRL"], 2) == 0.73
    assert round(found["DSRL, first temperature 0.1"], 2) == 0.8
    strengths = chosen("methods_measured")
    assert strengths["DSRL"] == "2"
    assert strengths["DSRL, first temperature 0.1"] == "1"
    assert (strengths["IDQL"], strengths["Best of N, pruned"]) == ("4", "8")
    assert found["IDQL"] == found["Best of N"] > 0.59
    assert found["BC"] + 0.1 > found["Q-chunking"] > found["BC"]
    assert found["Q-chunking with FQL"] >= 0.4 > found["BC, mean flow, T = 10"]
    assert found["floq, QGF"] > 0.53
    assert round(found["floq, FQL"], 2) == 0.34 < found["FQL, own critic"]
    assert (strengths["floq, QGF"], strengths["floq, FQL"]) == ("0.1", "10")


def test_what_is_said_of_larger_networks() -> None:
    """Chunks learn in 256×2 networks what they do not in 64×2, the flow alone and Q-chunking, and stay behind single actions."""
    found, all_methods = of_methods("methods_larger"), of_methods()
    for name in ("BC", "QGF", "Q-chunking", "Q-chunking with FQL", "floq, FQL"):
        assert found[name] == all_methods[name], "the same jobs"
    assert found["BC, chunks of 5"] < 0.11 < found["BC"]
    assert round(found["BC, chunks of 5, 256 × 2"], 2) == 0.24
    assert round(found["Q-chunking, 256 × 2"], 2) == 0.81 > found["Q-chunking"] + 0.5
    assert round(found["Q-chunking with FQL, 256 × 2"], 2) == 0.59
    assert round(found["QGF, 256 × 2"], 2) == 0.94
    assert all(found[f"QGF{size}"] > found[f"Q-chunking{size}"] for size in ("", ", 256 × 2"))


def test_what_is_said_of_more_updates() -> None:
    """floq learns with 12,000 updates what it does not with 4,000; plain critics gain as well and stay ahead."""
    found = {
        name.removesuffix(", 12,000 updates"): value
        for name, value in of_methods("methods_larger").items()
        if "12,000" in name
    }
    said = {"floq, QGF": 0.9, "floq, FQL": 0.81, "QGF": 0.99, "FQL, own critic": 0.82}
    assert {name: round(found[name] + 1e-9, 2) for name in said} == said
    before = of_methods()
    assert all(found[name] > before[name] + 0.1 for name in ("BC", *said))


def test_what_is_said_of_all_methods_on_a_maze() -> None:
    found = of_methods("methods_maze")
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8").partition("## The methods on a maze")[2]
    whole = len(load_protocol("methods-maze").methods)
    assert f"has {len(found)} of the {whole} methods" in text
    never = {"BC", "BC, T = 1", "BC, mean flow, T = 1", "BC, mean flow, T = 10", "BC, Gaussian"}
    assert {name for name, success in found.items() if success == 0.0} == never | {"Q-chunking with FQL", "floq, FQL"}
    always = {"QGF", "QGF-Chain", "QGF, mean flow, T = 10", "VGF", "ReBRAC", "IQL with a flow"}
    assert {name for name, success in found.items() if success == 1.0} == always
    said = {
        **dict.fromkeys(("QPILOTS-U", "FAWAC", "QGF, mean flow, T = 1"), "0.97"),
        **dict.fromkeys(("Best of N", "Best of N, pruned", "IDQL"), "0.90"),
        **dict.fromkeys(("FQL", "QGF, gated"), "0.67"),
        "EDP": "0.93",
        "DAC": "0.87",
        "QGF, T = 1": "0.50",
        "QGF, Gaussian": "0.80",
        "DSRL": "0.40",
        "QSM": "0.37",
        "QGF, distilled": "0.33",
        "RobustQ": "0.17",
    }
    assert {name: f"{found[name]:.2f}" for name in said} == said
    assert all(number in text for number in said.values())
    assert set(found) - set(said) - always - never == {"FBRAC", "Q-chunking with FQL", "floq, FQL"}


def of_figure(title: str) -> dict[str, list[dict[str, str]]]:
    """The tables of a section of docs/figures.md: rows by column, under each table's first word."""
    whole = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    part = whole.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert part, title
    found = {}
    for name, table in re.findall(r"^(\w+)[:,-].*\n\n((?:\|.*\n)+)", part, re.M):
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
        found[name] = [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]
    return found


def first(cell: str) -> float:
    return float(cell.split(" ")[0])


def claims(title: str) -> dict[str, str]:
    """What the section's sentences say of each claim: holds, does not hold or is undecided."""
    whole = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    part = whole.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^- (.+): \*\*(holds|does not hold|is undecided) here\*\*", part, re.M))


def test_what_is_said_of_weights() -> None:
    tables = of_figure("Weights (QGF, figure 20)")
    negative = {
        row["rule"]: next(column for column, cell in row.items() if column.startswith("w") and first(cell) < 0.0)
        for row in tables["bandit2d"]
    }
    assert negative.pop("qgf") == "w = 3"
    assert set(negative.values()) == {"w = 10"}
    for row in tables["three_exits"]:
        returns = {column: first(cell) for column, cell in row.items() if column.startswith("w")}
        best = max(returns, key=returns.__getitem__)
        assert best not in ("w = 0.03", "w = 30"), row["rule"]
        assert best == {"qgf": "w = 0.3", "qgf_jacobian": "w = 1"}.get(row["rule"], best)


def test_what_is_said_of_computing() -> None:
    tables = of_figure("Computing (QGF, figures 6 and 7)")
    returns = {task: {row["method"]: first(row["return"]) for row in rows} for task, rows in tables.items()}
    bandit = list(returns["bandit2d"].values())
    assert bandit == sorted(bandit, key=lambda one: round(one, 1)), "in the order of evaluations, but for ties"
    exits = returns["three_exits"]
    assert sorted(exits, key=exits.__getitem__)[-2:] == ["GradStep", "QGF"]
    assert exits["best of 64"] < exits["best of 4"]
    chosen = {row["method"]: row["chosen"] for row in tables["three_exits"]}
    assert chosen["QGF + best of 4"] == chosen["QGF + best of 16"] == "weight = 0.03"


def test_what_is_said_of_chunks() -> None:
    rows = of_figure("Chunks")["three_exits"]
    assert [row["chunk"] for row in rows] == ["1", "5", "10"]
    for column in ("an action", "return"):
        numbers = [first(row[column]) for row in rows]
        assert numbers == sorted(numbers, reverse=True)


def test_what_is_said_of_transport() -> None:
    found = claims("Transport (VGF)")
    assert len(found) == 8
    for claim, word in found.items():
        clear = "no transport" in claim or "greedy pick" in claim
        assert word == ("holds" if clear else "is undecided"), claim


def test_the_readme_names_the_table_s_returns() -> None:
    """QGF, QGF on a mean flow with one step, VGF, FQL and BC."""
    (row,) = re.findall(r"all methods on three_exits, 3 seeds .*", (ROOT / "README.md").read_text(encoding="utf-8"))
    found = of_methods()
    said = [float(number) for number in re.findall(r"(?:step|QGF|VGF|FQL|BC) (0\.\d+)", row)]
    names = ("QGF", "QGF, mean flow, T = 1", "VGF", "FQL", "BC")
    assert said == [round(found[name], 2) for name in names]


def test_the_readme_names_the_maze_s_successes() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ((some, whole, row),) = re.findall(r"methods on a maze of OGBench, 3 seeds, (\d+) of (\d+) methods (.*)", text)
    found = of_methods("methods_maze")
    assert (int(some), int(whole)) == (len(found), len(load_protocol("methods-maze").methods))
    assert "QGF, VGF and ReBRAC 1.00, FQL 0.67, BC 0.00" in row
    assert [round(found[name], 2) for name in ("QGF", "VGF", "ReBRAC", "FQL", "BC")] == [1.0, 1.0, 1.0, 0.67, 0.0]


def test_what_is_said_of_one_step() -> None:
    """In docs/flows_and_critics.md: the mean flow is nearer to the data at each T, and QGF earns more on it."""
    text = (ROOT / "docs" / "flows_and_critics.md").read_text(encoding="utf-8").replace("*", "")
    rows = {
        name: [float(one) for one in cells.split("|")]
        for name, cells in re.findall(r"^\| (.+?) \| (0[.\d |]+) \|$", text, re.M)
    }
    for task in ("bandit2d, W2", "three_exits, W2"):
        assert all(m < o for m, o in zip(rows[f"{task}: mean flow"], rows[f"{task}: ordinary flow"], strict=True))
    ordinary, mean = rows["three_exits, QGF's return: ordinary flow"], rows["three_exits, QGF's return: mean flow"]
    assert all(m > o for m, o in zip(mean[:2], ordinary[:2], strict=True))
    assert rows["bandit2d, W2: mean flow"][0] < rows["bandit2d, W2: ordinary flow"][2]


def test_what_is_said_of_offline_to_online() -> None:
    """VGF always arrives, before the steps too; FQL gains, up to it."""
    vgf, fql = of_figure("Offline to online (VGF, FQL)")["pointmaze"]
    last = "16,000 steps"
    assert first(vgf["offline"]) == first(vgf[last]) == first(fql[last]) == 1.0 > first(fql["offline"])
    found = claims("Offline to online (VGF, FQL)")
    assert found == {
        "VGF succeeds more often after the steps than before": "is undecided",
        "FQL succeeds more often after the steps than before": "holds",
        "VGF succeeds more often than FQL at the end": "is undecided",
        "VGF gains more than FQL": "does not hold",
    }
