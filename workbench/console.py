"""What the command line prints: progress, tables, results, and errors in one line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from workbench.engine.words import plain

PLAIN_EVERY = 5.0  # seconds between two plain progress lines


@contextmanager
def errors_in_words() -> Iterator[None]:
    """Turn the errors a user can cause into one message and exit code 2; ``WORKBENCH_DEBUG=1`` shows the traceback."""
    try:
        yield
    except (
        BrokenPipeError
    ):  # `workbench rules | head`: the reader has gone, and what is still buffered has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (ValueError, OSError, ImportError, FloatingPointError, MemoryError, RuntimeError) as error:
        unexpected = isinstance(error, RuntimeError) and not _out_of_memory(error)
        if unexpected or os.environ.get("WORKBENCH_DEBUG"):
            raise
        for line in [*_words(error).splitlines(), *getattr(error, "__notes__", ())]:
            print(f"error: {plain(line)}", file=sys.stderr)
        raise SystemExit(2) from None


def _out_of_memory(error: Exception) -> bool:
    """torch reports a failed allocation as a RuntimeError, on CPU and CUDA in different words."""
    return isinstance(error, MemoryError) or "tried to allocate" in str(error).lower()


def _words(error: Exception) -> str:
    if _out_of_memory(error):
        return (
            f"not enough memory ({error}); ask for less at a time"
            if str(error)
            else "not enough memory; ask for less at a time"
        )
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


class Bar:
    """Progress on standard error: a bar on a terminal, a plain line every few seconds otherwise.

    Parameters
    ----------
    total : int
    what : str
    unit : str
    done : int
        Where it starts (a resumed run).
    """

    def __init__(self, total: int, what: str, unit: str, done: int = 0) -> None:
        self._total, self._what, self._unit, self._done = total, what, unit, done
        self._bar = None
        if sys.stderr.isatty():
            self._bar = tqdm(total=total, initial=done, desc=what, unit=f" {unit}", file=sys.stderr, dynamic_ncols=True)
        self._last = time.monotonic()

    def at(self, done: int, note: str = "") -> None:
        """Show that ``done`` of the total are done."""
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._done)
        elif time.monotonic() - self._last >= PLAIN_EVERY or done >= self._total > self._done:
            self._last = time.monotonic()
            print(
                f"{self._what}: {done:,} of {self._total:,} {self._unit} {note}".rstrip(), file=sys.stderr, flush=True
            )
        self._done = done

    def close(self) -> None:
        """Leave the line as it is."""
        if self._bar is not None:
            self._bar.close()

    def tick(self) -> Callable[[int, int], None]:
        """A callback ``(done, total)`` for the engine."""

        def tick(done: int, total: int) -> None:
            self._total = total  # not always known at the start
            if self._bar is not None:
                self._bar.total = total
            self.at(done)

        return tick


def print_json(value: object) -> None:
    """One JSON value on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain aligned table on standard output."""
    lines = [tuple(heads), *[tuple(plain(cell).replace("\n", "\\n") for cell in row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
