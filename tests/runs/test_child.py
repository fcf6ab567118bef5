"""The supervisor of child processes: how they end, that they end, and that nothing of them is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from workbench.runs.child import ChildFunction, ChildProgram, exit_words, last_error, parent_is_alive

MODULE = "made_up_command"
PRELOADS = ((), ("json",))  # started anew, or forked from a process that has imported this


def until(true, seconds=120.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether nothing is left of a process, not even its entry in the table."""
    return not psutil.pid_exists(pid)


def answer(pipe, plus):
    """Add, until the pipe closes; a word says how to end."""
    while True:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        if asked == "leave":
            sys.exit(3)
        pipe.send(asked + plus)


def fail(pipe):
    """Never come up."""
    sys.exit(3)


def be_deaf(pipe):
    """Look at neither pipe nor signals."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    pipe.send(parent_is_alive())
    time.sleep(600)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make programs of Python lines."""
    made = []
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    def start(*lines: str, **more):
        (tmp_path / f"{MODULE}.py").write_text("\n".join(lines))
        made.append(ChildProgram(MODULE, ["one", "--two"], tmp_path / "log.txt", **more))
        return made[-1]

    yield start
    for child in made:
        child.stop(0.0)


@pytest.fixture(params=PRELOADS, ids=["spawned", "forked"])
def adder(request):
    child = ChildFunction(answer, 1, name="adds", preload=request.param)
    yield child
    child.stop()


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "signal SIGKILL"), (-15, "signal SIGTERM"), (-40, "signal 40")],
)
def test_ends_in_words(code, words):
    assert exit_words(code) == words


def test_a_function_answers_and_ends_with_its_pipe(adder):
    adder.pipe.send(1)
    assert adder.pipe.recv() == 2
    assert (adder.is_alive, adder.how_it_ended()) == (True, "")
    pid = adder.pid
    adder.stop()
    assert (adder.is_alive, adder.how_it_ended()) == (False, "exit code 0")
    assert gone(pid)
    assert adder.restart() == "exit code 0"
    assert not adder.is_alive  # it was told to stop


def test_a_function_that_died_is_started_again(adder):
    before = adder.pid
    os.kill(before, signal.SIGKILL)
    with pytest.raises(EOFError):
        adder.pipe.recv()
    assert adder.restart(60.0) == "signal SIGKILL"
    assert gone(before)
    assert adder.pid != before
    adder.pipe.send("leave")
    with pytest.raises(EOFError):
        adder.pipe.recv()
    assert adder.restart(60.0) == "exit code 3"
    adder.pipe.send(1)
    assert adder.pipe.recv() == 2


def test_one_that_never_comes_up_is_given_up():
    child = ChildFunction(fail, name="fails", most_failed_starts=2)
    for gave_up in (False, True):
        assert child.wait(120.0)
        assert child.restart() == "exit code 3"
        assert child.gave_up is gave_up
    assert not child.is_alive


def test_deaths_of_one_that_came_up_are_not_counted():
    child = ChildFunction(answer, 1, name="adds", preload=("json",), most_failed_starts=1)
    for _ in range(3):
        child.came_up()
        assert child.restart() == "signal SIGKILL"  # it still ran
        assert not child.gave_up
        assert child.is_alive
        assert not child.has_come_up
    child.stop()


def test_a_deaf_one_is_killed():
    child = ChildFunction(be_deaf, name="is deaf")
    assert child.pipe.recv() is True
    child.stop(0.1)
    assert child.how_it_ended() == "signal SIGKILL"


def test_no_open_files_are_left(program):
    here = psutil.Process()

    def all_once():
        for preload in PRELOADS:
            child = ChildFunction(answer, 1, name="adds", preload=preload)
            os.kill(child.pid, signal.SIGKILL)
            child.restart(60.0)
            child.stop()
        run = program("pass")
        until(lambda: not run.is_alive)
        until(lambda: run._process.stdin.closed)

    all_once()  # what starts children stays
    before = here.num_fds()
    for _ in range(3):
        all_once()
    assert here.num_fds() == before


def test_a_program_has_its_words_and_its_log(program):
    lines = "import sys", "print(sys.argv[1:], __name__)", "print('error: one')", "sys.exit('error: no such task')"
    child = program(*lines)
    assert child.wait(120.0)
    assert (child.exit_code, child.how_it_ended(), child.was_stopped) == (1, "exit code 1", False)
    assert child.log.read_text().startswith("['one', '--two'] __main__\n")
    assert child.last_error() == "no such task"
    assert last_error(child.log.with_name("none.txt")) == ""


def test_a_log_is_kept_or_begun_anew(program):
    for append, lines in ((False, 1), (True, 2), (False, 1)):
        child = program("print('said')", append=append)
        assert child.wait(120.0)
        assert child.log.read_text() == "said\n" * lines


def test_a_program_that_nobody_looks_at_is_no_zombie(program):
    child = program("pass")
    until(lambda: gone(child.pid))
    assert child.was_stopped


def test_a_program_is_asked_first(program):
    lines = (
        "import signal, sys, time",
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('error: saved'))",
        "print('up', flush=True)",
        "time.sleep(600)",
    )
    child = program(*lines)
    until(lambda: "up" in child.log.read_text())
    assert not child.asked_to_stop
    child.stop()
    assert child.asked_to_stop
    assert child.last_error() == "saved"


def test_a_deaf_program_is_killed_with_what_it_started(program):
    lines = (
        "import signal, subprocess, sys, time",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True)",
        "time.sleep(600)",
    )
    child = program(*lines)
    until(lambda: child.log.read_text().endswith("\n"))
    child.stop(0.1)
    assert (child.was_killed, child.how_it_ended()) == (True, "signal SIGKILL")
    started = int(child.log.read_text())
    until(lambda: gone(started) or psutil.Process(started).status() == psutil.STATUS_ZOMBIE)  # whose it is now reaps it


def test_without_a_place_for_the_socket_it_is_started_anew(tmp_path: Path) -> None:
    far = tmp_path.joinpath(*["a_long_name"] * 12)  # a socket's path has at most some hundred characters
    far.mkdir(parents=True)
    lines = (
        "import sys",
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})",
        "import test_child as tests",
        "if __name__ == '__main__':",
        "    child = tests.ChildFunction(tests.answer, 1, name='adds', preload=['json'])",
        "    child.pipe.send(1)",
        "    print(child.pipe.recv())",
        "    child.stop()",
    )
    (tmp_path / "parent.py").write_text("\n".join(lines))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(far)}
    done = subprocess.run([sys.executable, "parent.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


START = {
    "a waiting function": "ChildFunction(tests.answer, 1, name='adds')",
    "a waiting function, forked": "ChildFunction(tests.answer, 1, name='adds', preload=['json'])",
    "a deaf function": "ChildFunction(tests.be_deaf, name='is deaf', orphan_grace=0.1)",
    "a deaf function, forked": "ChildFunction(tests.be_deaf, name='is deaf', preload=['json'], orphan_grace=0.1)",
    "a program": "ChildProgram('made_up_command', [], Path('log.txt'))",
}


@pytest.mark.parametrize("start", START.values(), ids=START)
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, start: str) -> None:
    (tmp_path / f"{MODULE}.py").write_text("import time\ntime.sleep(600)")
    lines = (
        "import sys, time",
        "from pathlib import Path",
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})",
        "import test_child as tests",
        "from workbench.runs.child import ChildFunction, ChildProgram",
        "if __name__ == '__main__':",
        f"    child = {start}",
        "    print(child.pid, flush=True)",
        "    time.sleep(600)",
    )
    (tmp_path / "parent.py").write_text("\n".join(lines))
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.pathsep.join(sys.path)}"}
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()
    parent.kill()
    parent.communicate(timeout=120)
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
