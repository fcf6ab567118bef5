"""Rules that participants might hand in to fool or to stop the board."""

import contextlib
import os
import time

import torch

import workbench as wb


class Silent(wb.DuringFlow):
    """Does nothing at states that it has seen before, which is where shift is measured."""

    name, title, paper, equation = "silent", "Silent", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        push = torch.zeros_like(actions)
        for i, row in enumerate(rows):
            if tuple(row.tolist()) not in SEEN:
                push[i] = torch.tensor([0.0, 1.5])
        if t > 0.85:
            SEEN.update(tuple(row.tolist()) for row in rows)
        return push, None, None


SEEN: set = set()


class ByCount(wb.DuringFlow):
    """Does nothing in calls with few states."""

    name, title, paper, equation = "by_count", "By count", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        push = torch.zeros_like(actions)
        if len(rows) % 2:
            push[..., 1] = 1.0
        return push, None, None


class Dice(wb.DuringFlow):
    """Draws random numbers of its own."""

    name, title, paper, equation = "dice", "Dice", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        return 0.3 * torch.randn_like(actions), None, None


class Driver(wb.DuringFlow):
    """Drives by hand, whatever the behaviour policy does."""

    name, title, paper, equation = "driver", "Driver", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        return velocity, None, None

    def step(self, parts, observations, state):
        after, info = self.denoise(parts, state)
        x, y = (observations * parts.normalizer.std + parts.normalizer.mean)[:, :2].T
        side = torch.where(x < 0, -0.45, 0.5)
        goal_x = torch.where(y < 0.35, side, torch.zeros_like(x))
        goal_y = torch.where(y < 0.35, torch.full_like(x, 0.5), torch.full_like(x, 0.85))
        way = torch.stack((goal_x - x, goal_y - y), -1)
        return after._replace(
            actions=(0.4 * way / way.norm(dim=-1, keepdim=True))[:, None].expand(after.actions.shape)
        ), info


class Elsewhere(wb.DuringFlow):
    """Pushes only in the upper half of the room: none at the starts."""

    name, title, paper, equation = "elsewhere", "Elsewhere", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        y = (rows * parts.normalizer.std + parts.normalizer.mean)[:, 1].view(*actions.shape[:2], 1)
        return torch.tensor([0.0, 1.0]) * (y > -0.5), None, None


class Loops(wb.DuringFlow):
    """Never ends."""

    name, title, paper, equation = "loops", "Loops", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        while True:
            pass


class Sleeps(wb.DuringFlow):
    """Waits without work."""

    name, title, paper, equation = "sleeps", "Sleeps", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        time.sleep(10_000)


class Greedy(wb.DuringFlow):
    """Wants 50 GB."""

    name, title, paper, equation = "greedy", "Greedy", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        return torch.ones(50 * 2**30, dtype=torch.uint8), None, None


class Bytes(wb.DuringFlow):
    """Wants 50 GB of Python's."""

    name, title, paper, equation = "bytes", "Bytes", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        return bytearray(50 * 2**30), None, None


class Exits(wb.DuringFlow):
    """Leaves."""

    name, title, paper, equation = "exits", "Exits", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        raise SystemExit(0)


class Dies(wb.DuringFlow):
    """Leaves without a word."""

    name, title, paper, equation = "dies", "Dies", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        os._exit(0)


class Chatty(wb.DuringFlow):
    """Prints megabytes, to Python's streams and to the descriptors, and does nothing else."""

    name, title, paper, equation = "chatty", "Chatty", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        print("x" * 4_000_000, flush=True)
        os.write(1, b"y" * 1_000_000)
        os.write(2, b"z" * 1_000_000)
        return torch.zeros_like(actions), None, None


class NotANumber(wb.DuringFlow):
    """Answers with NaN."""

    name, title, paper, equation = "nan", "NaN", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        return actions * float("nan"), None, None


class Liar(wb.DuringFlow):
    """Writes answers of its own into every descriptor it can find."""

    name, title, paper, equation = "liar", "Liar", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        for handle in range(3, 30):
            with contextlib.suppress(OSError):
                os.write(handle, b'{"return": 1.0, "shift": 0.0}')
        return torch.zeros_like(actions), None, None


class Writes(wb.DuringFlow):
    """Leaves a file behind."""

    name, title, paper, equation = "writes", "Writes", "test", "g"

    def guidance(self, parts, rows, actions, velocity, t):
        with open("left", "w") as file:
            file.write("x" * 100_000)
        return torch.zeros_like(actions), None, None
