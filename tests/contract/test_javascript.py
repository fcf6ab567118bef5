"""The scripts of the pages: types, house rules and unit tests, by the tools that developers have (never the users)."""

import json
import subprocess
from pathlib import Path

import pytest
from node_tools import ROOT, Node, NoNodeError, ready, tool


@pytest.fixture(scope="module")
def node() -> Node:
    """Node with its packages; without a network the scripts stay unchecked, and the summary says so."""
    try:
        return ready()
    except NoNodeError as missing:
        pytest.skip(f"the scripts of the pages are not checked: {missing}")


def passes(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_types(node: Node) -> None:
    passes(tool(node, "tsc", "--project", "tsconfig.json"))


def test_house_rules(node: Node) -> None:
    passes(tool(node, "eslint", "--max-warnings", "0", "."))


def test_units(node: Node) -> None:
    done = tool(node, "vitest", "run", "--config", "tests/js/vitest.config.js", "--reporter=json")
    passes(done)
    said = json.loads(done.stdout)
    assert said["numPassedTests"] == said["numTotalTests"] > 50


def test_every_script_is_checked(node: Node) -> None:
    """No script is left out by a folder that tsconfig.json does not name."""
    done = tool(node, "tsc", "--project", "tsconfig.json", "--listFilesOnly")
    passes(done)
    checked = {Path(line) for line in done.stdout.splitlines()}
    scripts = [
        path for folder in ("workbench", "benchmarks", "tests") for path in sorted((ROOT / folder).rglob("*.js"))
    ]
    assert len(scripts) > 40
    assert [path.name for path in scripts if path not in checked] == []


def test_a_type_that_does_not_fit_is_seen(node: Node, tmp_path: Path) -> None:
    (tmp_path / "wrong.js").write_text("export const wide = (/** @type {string} */ a) => a * 2\n", encoding="utf-8")
    project = {"extends": str(ROOT / "tsconfig.json"), "include": ["wrong.js"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(project), encoding="utf-8")
    done = tool(node, "tsc", "--project", str(tmp_path / "tsconfig.json"))
    assert done.returncode != 0
    assert "wrong.js(1,50)" in done.stdout
