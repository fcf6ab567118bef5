"""What a process gives up before it runs a participant's code: files, network, memory, time.

Nothing here needs root. Each part is done as far as this system can do it, and `confine` says which parts held: Linux 5.13
and newer closes the file system (Landlock), systems that allow user namespaces close the network; other systems have the
time limit alone.
"""

from __future__ import annotations

import ctypes
import math
import os
import struct
import sys
import time
from collections.abc import Iterable

# Landlock's system calls, the same numbers on every processor
CREATE = 444
ADD = 445
RESTRICT = 446
READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, list a folder
READ_FILE = 1 << 0 | 1 << 2
NEW_USER = 0x10000000
NEW_NETWORK = 0x40000000
NO_NEW_PRIVILEGES = 38
FILES = "files"
NETWORK = "network"
MEMORY = "memory"
SECONDS = "seconds"
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many kinds of access each version of Landlock knows; 16 from version 5 on
THREADS = 16


def confine(readable: Iterable[str]) -> list[str]:
    """Close the network, and all files but those below ``readable`` for reading; says which of the two held.

    Call it before threads are started: what is closed is closed for this thread and for those that it starts.
    """
    if not sys.platform.startswith("linux"):
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    held = [NETWORK] if libc.unshare(NEW_USER | NEW_NETWORK) == 0 else []
    if _close_files(libc, readable):
        held.append(FILES)
    return held


def _close_files(libc: ctypes.CDLL, readable: Iterable[str]) -> bool:
    version = libc.syscall(CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    files = (1 << RIGHTS.get(version, 16)) - 1
    tcp = 3 if version >= 4 else 0  # to listen and to connect
    scoped = 3 if version >= 6 else 0  # sockets and signals of processes outside
    rules = struct.pack("=QQQ", files, tcp, scoped)[: 8 if version < 4 else 16 if version < 6 else 24]
    fence = libc.syscall(CREATE, rules, ctypes.c_size_t(len(rules)), 0)
    if fence < 0:
        return False
    try:
        for path in readable:
            if not os.path.exists(path):
                continue
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                access = READ if os.path.isdir(path) else READ_FILE
                if libc.syscall(ADD, fence, 1, struct.pack("=Qi", access, place), 0):
                    return False
            finally:
                os.close(place)
        return bool(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and libc.syscall(RESTRICT, fence, 0) == 0)
    finally:
        os.close(fence)


def limit(seconds: int, memory: int, alone: bool) -> list[str]:
    """Limit processor time beyond what was used, memory beyond what is in use now (bytes) and writing; says which limits held.

    ``alone``: the process is in a user namespace of its own, so that a limit on its threads counts no others.
    """
    try:
        import resource
    except ImportError:  # Windows has none of it
        return []
    held = [SECONDS]
    end = math.ceil(time.process_time()) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (end, end + 2))  # first a signal that says why, then the end
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if alone:
        resource.setrlimit(resource.RLIMIT_NPROC, (THREADS, THREADS))
    try:
        with open("/proc/self/statm", encoding="ascii") as pages:
            used = int(pages.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
        held.append(MEMORY)
    except (OSError, ValueError):
        pass  # not Linux: nothing says how much is in use
    return held
