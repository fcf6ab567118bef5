"""Many people at once, without browsers: what a change costs each of them, and what stays of them in memory."""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.ui_client import Client
from benchmarks.ui_server import SCENE, cpu, descendants, resident

THINK = (0.7, 1.3)  # seconds between two movements of one person


async def people(url: str, pid: int, count: int, seconds: float) -> tuple[list[float], int, float, float]:
    """People who move a slider about once a second, each with a noise of their own.

    Milliseconds from change to picture, errors, and seconds of processor time that the server and its drawing processes
    spent.
    """
    # A thread for each, or those who wait for their page would keep the others from finding the server.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(count + 8))
    clients = [Client(url, f"{SCENE}&seed={number}") for number in range(count)]
    opened = await asyncio.gather(*(client.open("wb-weight") for client in clients), return_exceptions=True)
    errors = sum(isinstance(one, BaseException) for one in opened)
    there = [client for client, one in zip(clients, opened, strict=True) if one is None]
    before, drawn = cpu(pid), cpu(*descendants(pid))
    times: list[float] = []

    async def live(client: Client, luck: random.Random) -> None:
        nonlocal errors
        try:
            await asyncio.sleep(luck.uniform(*THINK))
            while time.perf_counter() < end:
                times.append(await client.move(client.value + 1 if client.value < client.high else 1))
                await asyncio.sleep(luck.uniform(*THINK))
        except Exception as error:  # counted: "0 errors" is what is to be reached
            print(f"  a client failed: {type(error).__name__}: {error}")
            errors += 1

    end = time.perf_counter() + seconds
    await asyncio.gather(*(live(client, random.Random(number)) for number, client in enumerate(there)))
    spent, drawn = cpu(pid) - before, cpu(*descendants(pid)) - drawn
    for client in there:
        await client.close()
    return times, errors, spent, drawn


async def sessions(url: str, count: int = 60) -> None:
    """Open and close sessions one after the other."""
    for _ in range(count):
        client = Client(url, SCENE)
        await client.open()
        await client.frame()
        await client.close()


def growth(url: str, pid: int) -> tuple[float, float]:
    """Two rounds of 60 sessions: what the second adds to the memory of the first, and the memory after it, MiB."""
    after = []
    for _ in range(2):
        asyncio.run(sessions(url))
        time.sleep(40.0)  # sessions are discarded some 15 to 32 s after their page was closed
        after.append(resident(pid, *descendants(pid)))
    return after[1] - after[0], after[1]
