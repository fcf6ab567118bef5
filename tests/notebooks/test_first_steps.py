"""The first lesson runs from top to bottom, and is stored without outputs."""

import os
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient


@pytest.fixture
def notebook(root: Path) -> nbformat.NotebookNode:
    return nbformat.read(root / "notebooks" / "01_first_steps.ipynb", as_version=4)


def test_it_is_stored_without_outputs(notebook: nbformat.NotebookNode) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@pytest.mark.slow
def test_it_runs_and_more_is_less_in_the_end(
    notebook: nbformat.NotebookNode, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    started = time.monotonic()
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert time.monotonic() - started < 60
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 1
    assert sum("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in outputs) == 2
    printed = "".join(output.text for output in outputs if output.output_type == "stream").splitlines()
    episodes = [line for line in printed if line.startswith("weight") and "return" in line]
    truth = [float(line.split()[2]) for line in printed if line not in episodes and not line.startswith("weight")]
    assert max(truth) > truth[0] + 0.05
    assert truth[-1] < max(truth) - 0.2
    returns = [float(line.split("return ")[1].split(",")[0]) for line in episodes]
    assert returns[1] > max(returns[0], returns[2])
