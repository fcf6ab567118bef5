"""Kill workers of a sweep, and the sweep, at random moments, and start it again until it is done."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from workbench.experiments.grid import Grid
from workbench.experiments.store import Store

LIMIT = 180.0


class Chaos:
    """A sweep under fire.

    Parameters
    ----------
    root : Path
        Of the clone.
    folder : Path
        Of the store.
    grid : Grid
    kills : int
    seed : int
        Fixes which process is killed after how many results.
    """

    def __init__(self, root: Path, folder: Path, grid: Grid, kills: int, seed: int) -> None:
        self.root, self.folder, self.grid, self.kills = root, folder, grid, kills
        self.killed_sweeps = self.killed_workers = 0
        self._rng = random.Random(seed)
        self._seen: dict[str, bytes] = {}

    def start(self) -> subprocess.Popen[str]:
        """``workbench sweep`` of the grid, in a group of its own."""
        words = self.grid.command(str(self.folder))
        import shlex

        return subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", *shlex.split(words)[1:], "--workers", "2"],
            env=os.environ | {"PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self) -> None:
        """Kill ``kills`` times, then let it finish."""
        process = self.start()
        try:
            for kill in range(self.kills):
                self._wait_a_moment(process)
                if process.poll() is not None:
                    break  # it was done before the next kill
                victims = self._workers(process)
                while kill % 2 and not victims and process.poll() is None:  # it has not started them yet
                    time.sleep(0.02)
                    victims = self._workers(process)
                if kill % 2 and victims:
                    self._rng.choice(victims).kill()
                    self.killed_workers += 1
                    continue
                process.kill()  # only the sweep: its workers notice that they are orphans
                process.communicate()
                self.killed_sweeps += 1
                self._remember()
                process = self.start()
            _out, err = process.communicate(timeout=LIMIT)
            assert process.returncode == 0, err
            self._remember()
        finally:
            end_group(process)

    @staticmethod
    def _workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
        """Its worker processes; those that end while one looks are left out."""
        try:
            return [p for p in psutil.Process(process.pid).children() if "resource_tracker" not in str(p.cmdline())]
        except psutil.NoSuchProcess:
            return []

    def wait_for_results(self, process: subprocess.Popen[str], count: int) -> None:
        """Wait until the store has so many results."""
        end = time.monotonic() + LIMIT
        while self._results() < count:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)

    def lost(self) -> list[str]:
        """Jobs without a result, and results that were seen once and are not there now as they were."""
        keys = [job.key for job in self.grid.jobs()]
        store = Store(self.folder)
        missing = store.unfinished(keys)
        return missing + [name for name, content in self._seen.items() if Path(name).read_bytes() != content]

    def doubled(self) -> list[str]:
        """Results that are in the list twice, or that lie in two files."""
        store = Store(self.folder)
        keys = [row.key for row in store.rows()]
        twice = [key for key in keys if keys.count(key) > 1]
        folders = [path.parent.name for path in self.folder.rglob("result.json")]
        return twice + [key for key in folders if folders.count(key) > 1] + sorted(set(folders) ^ set(keys))

    def _wait_a_moment(self, process: subprocess.Popen[str]) -> None:
        """Until one or two more results are there (or everything is), and a little longer."""
        wanted = self._results() + self._rng.randint(0, 1)
        end = time.monotonic() + LIMIT
        while self._results() < wanted and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        if process.poll() is None:
            time.sleep(self._rng.uniform(0.0, 3.0))

    def _results(self) -> int:
        return sum(1 for _ in self.folder.glob("runs/*/result.json"))

    def _remember(self) -> None:
        for path in self.folder.rglob("result.json"):
            self._seen.setdefault(str(path), path.read_bytes())


def end_group(process: subprocess.Popen[str]) -> None:
    """Kill what is left of a sweep and its workers."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
