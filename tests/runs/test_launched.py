"""Trainings in child processes: start, pause, resume, share, remove, limits, and a server that starts again."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from workbench.engine.data.hold import held_until_made
from workbench.engine.training.loop.checkpoint import load_run
from workbench.engine.training.loop.snapshots import list_snapshots
from workbench.runs.launched import KEPT, MEMORY, TRASH, TrainingRefusedError, Trainings

SMALL = {"hidden": [8, 8], "steps": 300, "batch_size": 16}
LONG = SMALL | {"steps": 500_000}


def until(question, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


@pytest.fixture
def trainings(tmp_path: Path):
    made = Trainings(tmp_path / "trainings", most=1)
    yield made
    made.close()


def test_start_pause_resume_and_a_new_server(trainings):
    one = trainings.start("ann", "bandit2d", LONG)
    until(lambda: one.progress())
    assert one.state == "running"
    with pytest.raises(TrainingRefusedError, match="1 of at most 1 trainings are running"):
        trainings.start("ben", "bandit2d", SMALL)
    trainings.pause("ann", one.name)
    assert one.state in ("pausing", "paused")
    until(lambda: one.state == "paused")
    step = one.progress()[-1]["step"]
    assert load_run(one.run).step >= step > 0
    again = Trainings(trainings.home, most=1)  # the server was restarted
    (found,) = again.visible("ann")
    assert (found.state, found.task, found.settings) == ("paused", "bandit2d", LONG)
    again.resume("ann", found.name)
    until(lambda: found.progress() and found.progress()[-1]["step"] > step + 100)
    child = psutil.Process(found.child.pid)
    again.close()
    assert not child.is_running()
    assert found.state == "paused"
    assert load_run(found.run).step > step


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits another process")
def test_the_kernel_limits_a_training_s_memory(trainings):
    one = trainings.start("ann", "bandit2d", LONG)
    assert psutil.Process(one.child.pid).rlimit(psutil.RLIMIT_DATA) == (MEMORY, MEMORY)


def test_one_that_another_process_works_on_is_not_taken_up(trainings):
    one = trainings.start("ann", "bandit2d", LONG)
    until(lambda: one.progress())
    trainings.pause("ann", one.name)
    until(lambda: one.state == "paused")
    with held_until_made(one.run) as hold:
        for touch in (trainings.resume, trainings.put_away):
            with pytest.raises(TrainingRefusedError, match=f"is being worked on by process {os.getpid()} on "):
                touch("ann", one.name)
        hold.release()
    assert one.folder.exists()


def test_one_that_ends_can_be_steered_with_and_looked_back_at(trainings):
    one = trainings.start("ann", "bandit2d", SMALL)
    until(lambda: one.state != "running")
    assert (one.state, one.error) == ("finished", "")
    assert load_run(one.run).parts().action_dim == 2
    assert one.progress()[-1]["step"] == 300
    assert len(list_snapshots(one.run)) == 21
    steps = [report["step"] for report in one.progress()]
    trainings.put_away("ann", one.name)
    assert not one.folder.exists()
    assert trainings.visible("ann") == []
    # It can be put back, by its owner, and by a server that was started in the meantime.
    later = Trainings(trainings.home, most=1)
    assert later.visible("ann") == []
    with pytest.raises(TrainingRefusedError, match="belongs to someone else"):
        later.put_back("ben", one.name)
    back = later.put_back("ann", one.name)
    assert (back.name, back.folder, back.state) == (one.name, one.folder, "finished")
    assert [report["step"] for report in back.progress()] == steps
    for gone in (one.name, "../trainings", "nothing"):
        with pytest.raises(TrainingRefusedError, match="no longer in the trash, where one stays for 60 minutes"):
            later.put_back("ann", gone)


def test_the_trash_is_emptied_in_time(trainings):
    one = trainings.start("ann", "bandit2d", LONG)
    trainings.put_away("ann", one.name)
    assert not one.child.is_alive
    place = trainings.home / TRASH / one.name
    assert place.is_dir()
    os.utime(place, (time.time() - KEPT - 60,) * 2)
    assert Trainings(trainings.home, most=1).visible("ann") == []
    assert not place.exists()


def test_what_belongs_to_another_is_neither_seen_nor_touched(trainings):
    one = trainings.start("ann", "bandit2d", LONG)
    assert trainings.visible("ben") == []
    with pytest.raises(TrainingRefusedError, match="no such training, or it belongs to someone"):
        trainings.find("ben", one.name)
    trainings.share("ann", one.name, True)
    assert trainings.find("ben", one.name) is one
    for touch in (trainings.pause, trainings.resume, trainings.put_away):
        with pytest.raises(TrainingRefusedError, match="only its owner can change it"):
            touch("ben", one.name)
    with pytest.raises(TrainingRefusedError, match="only its owner"):
        trainings.share("ben", one.name, False)
    assert one.state == "running"
    assert "ann" not in (one.folder / "about.json").read_text()  # the secret itself is kept nowhere


@pytest.mark.parametrize(
    ("task", "settings", "rules", "words"),
    [
        ("bandit3d", SMALL, (), "no task named 'bandit3d'"),
        ("--help", SMALL, (), "no task named '--help'"),
        ("bandit2d", {"step": 3}, (), "did you mean 'steps'"),
        ("bandit2d", SMALL, ("qfg",), "no rule named 'qfg'; did you mean 'qgf'"),
    ],
)
def test_wrong_orders_start_nothing(trainings, task, settings, rules, words):
    with pytest.raises(ValueError, match=words):
        trainings.start("ann", task, settings, rules=rules)
    assert trainings.visible("ann") == []


def test_a_failed_one_says_why(trainings):
    one = trainings.start("ann", "three_exits", SMALL, data=b"no dataset", data_name="three_exits.npz")
    until(lambda: one.state != "running")
    assert one.state == "failed"
    assert "three_exits.npz" in one.error
    with pytest.raises(TrainingRefusedError, match="this training is failed"):
        trainings.resume("ann", one.name)


def test_a_damaged_note_is_passed_over(trainings):
    one = trainings.start("ann", "bandit2d", SMALL)
    trainings.close()
    (one.folder / "about.json").write_text("{")
    assert Trainings(trainings.home).visible("ann") == []
