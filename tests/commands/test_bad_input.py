"""Bad input: exit code 2, a message that says what, where and the cure, no traceback, nothing half-written left."""

import socket
from pathlib import Path

import pytest
import torch
from commands.running import Command, check, everything, run_script

from workbench.console import errors_in_words
from workbench.engine.training.config import FitConfig

# Commands that are refused before anything is read; ``@run`` stands for a trained run, ``@data`` for its data.
REFUSED: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown task": (
        "fit three_exitz --out r",
        ("no task named 'three_exitz'; did you mean 'three_exits'? Known tasks: bandit1d",),
    ),
    "unknown task, none near": ("generate xyzzy --out d", ("no task named 'xyzzy'. Known tasks: bandit1d",)),
    "unknown rule": ("evaluate @run --rule qfg", ("no rule named 'qfg'; did you mean 'qgf'? Known rules: bc",)),
    "unknown rule, none near": ("steer @run --rule xyzzy --out t.npz", ("no rule named 'xyzzy'. Known rules: bc",)),
    "unknown setting of a rule": ("evaluate @run --rule qgf --set wieght=1", ("did you mean 'weight'? It has: ",)),
    "unknown setting of a rule, none near": (
        "evaluate @run --rule qgf --set xyzzy=1",
        ("no setting 'xyzzy'. It has: ",),
    ),
    "setting of a rule out of bounds": (
        "evaluate @run --rule vgf --set steps=201",
        ("'steps' of rule 'vgf'", "allowed: 0 to 200 steps"),
    ),
    "setting of a rule, wrong type": (
        "steer @run --rule vgf --set steps=many --out t.npz",
        ("valid integer", "'many'", "0 to 200"),
    ),
    "setting of a rule, not a number": (
        "evaluate @run --rule qgf --set weight=NaN",
        ("'weight'", "allowed: 0 to 10000"),
    ),
    "setting of a rule, wrong choice": (
        "evaluate @run --rule vgf --set ascent=adamm",
        ("'ascent'", "'adam' or 'plain'"),
    ),
    "unknown training setting": (
        "fit three_exits --out r --set expektile=0.9",
        ("did you mean 'expectile'? It has: critic",),
    ),
    "training setting out of bounds": (
        "fit three_exits --out r --set expectile=1",
        ("'expectile'", "allowed: above 0, below 1"),
    ),
    "training setting, two bounds": (
        "fit three_exits --out r --set members=17",
        ("'members'", "allowed: at least 1, at most 16"),
    ),
    "training setting, infinite": (
        "fit three_exits --out r --set reward_scale=Infinity",
        ("'reward_scale'", "finite", "above 0"),
    ),
    "training setting, no width": ("fit three_exits --out r --set hidden=[0]", ("'hidden'", "allowed: at least 1")),
    "training setting, wrong choice": (
        "fit three_exits --out r --set critic=td3",
        ("'critic'", "'iql', 'td_vgf', 'td_actor', 'floq' or 'dqc'"),
    ),
    "unknown actor": (
        "fit three_exits --critic td_actor --out r --set actor=fqll",
        ("no rule named 'fqll'; did you mean 'fql'?",),
    ),
    "unknown setting of the actor": (
        'fit three_exits --critic td_actor --out r --set actor=qgf actor_settings={"wieght":1}',
        ("rule 'qgf' has no setting 'wieght'; did you mean 'weight'?",),
    ),
    "settings of the actor, no mapping": (
        "fit three_exits --critic td_actor --out r --set actor=qgf actor_settings=3",
        ("'actor_settings'", "got 3"),
    ),
    "critic penalty with chunks": (
        "fit three_exits --critic td_actor --out r --set critic_penalty=1 chunk=2",
        ("next actions are not kept with action chunks; use chunk=1, or critic_penalty=0",),
    ),
    "unknown part": (
        'fit three_exits --out r --set parts=["one_stepp"]',
        ("no learned part named 'one_stepp'; did you mean 'one_step'?",),
    ),
    "a weight out of bounds": (
        "fit three_exits --out r --set fql_alpha=1e7",
        ("'fql_alpha'", "allowed: at least 0, at most 1e+06"),
    ),
    "no =": ("fit three_exits --out r --set tau", ("--set takes key=value", "got 'tau'")),
    "no key": ("fit three_exits --out r --set =3", ("--set takes key=value", "got '=3'")),
    "no value": ("evaluate @run --rule qgf --set weight=", ("--set takes key=value", "got 'weight='")),
    "twice in --set": ("evaluate @run --rule qgf --set weight=1 --set weight=2", ("weight twice, 1 and 2",)),
    "flag and --set": (
        "fit three_exits --out r --steps 5 --set steps=6",
        ("steps is given twice: --steps 5 and --set steps=6",),
    ),
    "no episodes": ("evaluate @run --rule bc --episodes 0", ("--episodes must be at least 1, got 0",)),
    "negative episodes": ("evaluate @run --rule bc --episodes -3", ("--episodes must be at least 1, got -3",)),
    "negative seed": ("evaluate @run --rule bc --seed -1", ("--seed must be 0 to 2147483647, got -1",)),
    "large seed": ("steer @run --rule bc --out t.npz --seed 99999999999999999999", ("--seed must be 0 to 2147483647",)),
    "negative seed of data": ("generate three_exits --out d --seed -1", ("seed must be 0 to 2147483647, got -1",)),
    "negative seed of a fit": ("fit three_exits --out r --seed -1", ("'seed'", "allowed: at least 0")),
    "no rows": ("generate three_exits --out d --rows 0", ("rows must be at least 1, got 0",)),
    "negative rows": ("generate bandit1d --out deep/d --rows -7", ("rows must be at least 1, got -7",)),
    "no steps": ("fit three_exits --out r --steps 0", ("'steps'", "got 0", "allowed: at least 1")),
    "negative steps": ("fit three_exits --out r --steps -5", ("'steps'", "got -5")),
    "saving every 0 steps": ("fit three_exits --out r --save-every 0", ("--save-every must be at least 1, got 0",)),
    "no states": ("steer @run --rule bc --out t.npz --states 0", ("--states must be 1 to 256, got 0",)),
    "too many states": ("steer @run --rule bc --out t.npz --states 257", ("--states must be 1 to 256, got 257",)),
    "no particles": ("steer @run --rule bc --out t.npz --particles 0", ("--particles must be 1 to 65536, got 0",)),
    "trace of another kind": ("steer @run --rule bc --out t.csv", ("--out must end in .npz, got t.csv",)),
    "trace in no folder": ("steer @run --rule bc --out no/t.npz", ("the folder no does not exist",)),
    "no run there": ("evaluate nothing --rule bc", ("nothing holds no run", "workbench fit TASK")),
    "resume without a run": ("fit three_exits --out r --resume", ("r holds no run",)),
    "resume with other settings": (
        "fit three_exits --out @run --resume --seed 3",
        ("has seed = 0, not 3", "keeps its settings"),
    ),
    "resume for longer": ("fit three_exits --out @run --resume --steps 99", ("has steps = 50, not 99",)),
    "resume as another task": (
        "fit bandit2d --out @run --resume",
        ("trained on task 'three_exits', not on 'bandit2d'",),
    ),
    "run exists": ("fit three_exits --out @run", ("exists; choose another --out", "--resume")),
    "data exist": ("generate three_exits --out @data", ("three_exits.npz already there, left untouched",)),
    "no data there": (
        "fit three_exits --out r --data nowhere",
        ("three_exits.npz: no such file", "workbench generate"),
    ),
    "data for another task": ("fit bandit1d --out r --data @data", ("bandit1d.npz: no such file",)),
    "port out of range": ("serve --port 70000", ("--port must be 0 to 65535, got 70000",)),
    "no CUDA": ("fit three_exits --out r --device cuda", ("no CUDA device here", "use --device cpu")),
    "no CUDA to evaluate": ("evaluate @run --rule bc --device cuda", ("no CUDA device here", "use --device cpu")),
}


@pytest.mark.parametrize(("line", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(
    command: Command,
    inside: Path,
    trained: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = everything(trained), everything(data)
    args = [{"@run": str(trained), "@data": str(data)}.get(word, word) for word in line.split()]
    check(command(*args), *words)
    assert everything(inside) == {}
    assert (everything(trained), everything(data)) == before


@pytest.mark.parametrize(
    "line",
    [
        "fit three_exits --out r --device tpu",
        "evaluate r",
        "fit three_exits --out r --steps many",
        "paint",
        "fit --out r",
        "rules --port 1",
    ],
)
def test_the_parser_refuses_too(command: Command, inside: Path, line: str) -> None:
    done = command(*line.split())
    assert done.code == 2
    assert done.out == ""
    assert "--help" in done.err
    assert "Traceback" not in done.err
    assert everything(inside) == {}


def test_all_bounds_of_training_settings_are_told(command: Command, inside: Path) -> None:
    """Every bounded setting of `FitConfig`, below its low end."""
    bounded = 0
    for name, schema in FitConfig.model_json_schema()["properties"].items():
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        if low is not None:
            bounded += 1
            kind = "at least" if "minimum" in schema else "above"
            check(
                command("fit", "three_exits", "--out", "r", "--set", f"{name}={low - 1:g}"),
                f"'{name}'",
                f"allowed: {kind} {low:g}",
            )
    assert bounded > 15


def test_a_port_in_use(command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check(command("serve", "--port", port), f"port {port} is in use", f"--port {port + 1}")


def test_too_little_memory(capsys: pytest.CaptureFixture[str]) -> None:
    """torch's own error for it is a RuntimeError; other ones are bugs, and keep their traceback."""
    with pytest.raises(SystemExit) as end, errors_in_words():
        torch.empty(2**50)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: not enough memory")
    with pytest.raises(RuntimeError, match="a bug"), errors_in_words():
        raise RuntimeError("a bug")


WITHOUT_OGBENCH = "import sys; sys.modules['ogbench'] = None; from workbench.cli import main; main(sys.argv[1:])"


def test_a_missing_extra_is_named(root: Path, inside: Path) -> None:
    done = run_script(
        root, WITHOUT_OGBENCH, "fit", "ogbench/pointmaze-medium-navigate-singletask-v0", "--out", "r", "--data", "d"
    )
    check(done, 'pip install "workbench[ogbench]"')
    assert everything(inside) == {}
