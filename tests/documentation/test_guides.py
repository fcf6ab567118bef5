"""The guides "add a rule, a loss, a task, a page", followed in a copy of the package as a reader would follow them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "extend"
FILE = re.compile(r'```python title="([^"]+)"\n(.*?)```', re.S)


def written(guide: str) -> dict[str, str]:
    """What a guide says to write, by file."""
    found = dict(FILE.findall((GUIDES / f"{guide}.md").read_text(encoding="utf-8")))
    assert found, guide
    return found


def follow(guide: str, copy: Path, table: str) -> None:
    """Write the guide's files into ``copy``; where a file exists, add its imports and its entry of ``table``."""
    for name, text in written(guide).items():
        place = copy / name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            continue
        before = place.read_text(encoding="utf-8")
        for line in re.findall(r"^from .* import .*$", text, re.M):
            before = re.sub(r"^from workbench", f"{line}\nfrom workbench", before, count=1, flags=re.M)
        (found,) = re.findall(rf"^{table} = (.*?)\.\.\.,\s*(.*?),?\s*[)}}]+$", text, re.M | re.S)
        opening, entry = found[0].strip(), found[1]
        after = re.sub(
            rf"^({table}\b[^=]* = {re.escape(opening)})",
            lambda place, entry=entry: f"{place[1]}{entry}, ",
            before,
            count=1,
            flags=re.M,
        )
        assert after != before, f"{name} has no table {table} any more"
        place.write_text(after, encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "workbench", tmp_path / "workbench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "apps", tmp_path / "apps", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(copy: Path, *words: str) -> str:
    """Output of Python, which finds the copy first."""
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def typed(copy: Path, guide: str) -> list[str]:
    """What each of the guide's commands prints, one after the other in one process."""
    program = (
        "import contextlib, json, sys; from workbench.cli import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    sys.argv[:] = ['workbench', *words]\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        main()\n"
        "    print('\\f')"
    )
    said = run(copy, "-c", program, json.dumps(commands(guide))).split("\f\n")
    assert len(said) == len(commands(guide)) + 1
    return said[:-1]


def commands(guide: str) -> list[list[str]]:
    """The guide's own commands, without the server."""
    blocks = re.findall(r"```sh\n(.*?)```", (GUIDES / f"{guide}.md").read_text(encoding="utf-8"), re.S)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert all(line[0] == "workbench" for line in lines)
    return [line[1:] for line in lines if line[1] != "serve"]


def test_a_rule(copy: Path) -> None:
    follow("rule", copy, "TEST_TIME")
    said = typed(copy, "rule")
    assert "Early QGF" in said[0] or "early" in said[0]
    assert re.search(r"^rule +early$", said[-1], re.M)
    program = (
        "import torch, workbench as wb; from pathlib import Path; "
        "assert Path(wb.__file__).is_relative_to(Path.cwd()); "
        "task = wb.make_task('bandit2d'); parts = task.parts(); "
        "noise = wb.draw_noise(1, 64, 2, torch.Generator().manual_seed(0)); "
        "trace = wb.steer(wb.make_rule('early', weight=1.0), parts, torch.zeros(1, 1), noise); "
        "moved = trace.pushes.abs().sum((1, 2, 3)); print((moved[:5] > 0).all().item(), moved[5:].sum().item())"
    )
    assert run(copy, "-c", program).split() == ["True", "0.0"]


def test_a_loss(copy: Path) -> None:
    follow("loss", copy, "EXTRA")
    typed(copy, "loss")
    program = (
        "import torch, workbench as wb; parts = wb.load_run('runs/careful').parts(); "
        "f = parts.part('careful_gradient'); print(f(torch.zeros(3, 1), torch.zeros(3, 1)).shape[0])"
    )
    assert run(copy, "-c", program).split() == ["3"]


def test_a_task(copy: Path) -> None:
    follow("task", copy, "TASKS")
    said = typed(copy, "task")
    assert "crossing" in said[0]
    behaviour, steered = (float(re.search(r"^Return.*?(-?\d[\d.]*)", text, re.M)[1]) for text in said[-2:])
    assert 0.6 < behaviour < 0.9  # either side alike: half of 1 and of 0.5
    assert steered > behaviour + 0.05


def test_a_page(copy: Path) -> None:
    follow("page", copy, "PAGES")
    program = (
        "from workbench.ui.shell.registry import page_class; page = page_class('counter')({'count': '4'}); "
        "page.count.value = 7; page.changed(); page.restore({'count': '5'}); "
        "assert set(page.panels()) == {'controls', 'main', 'note'}; print(page.state(), page.words.object, page.code())"
    )
    assert run(copy, "-c", program).strip() == "{'count': 5} You count 5. print(5)"
    assert (copy / "apps" / "counter.py").is_file()
