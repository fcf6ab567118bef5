"""What glibc does with freed memory: kept where tensors of one size come again and again, given back where messages pass."""

from __future__ import annotations

import ctypes
import functools
import platform

# names of glibc's mallopt(3)
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8


@functools.cache
def keep_large_blocks() -> bool:
    """Tell glibc to serve blocks up to 32 MiB from its heap and not to trim it; True where that was possible.

    A 256×512 batch makes tensors of half a megabyte and more, just the size that glibc maps and unmaps by default: 10 to
    25% of an update, measured by ``make bench``.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, 32 << 20) and mallopt(M_TRIM_THRESHOLD, 1 << 30))


@functools.cache
def map_large_blocks() -> bool:
    """Tell glibc to map blocks of 256 KiB and more apart, and to serve all threads from two heaps; True where that was possible.

    For a program whose threads pass large messages on, such as a server of pictures: in a heap of each thread the freed ones
    leave holes between what stays, which no trimming gives back (32 MiB after 60 seconds of 100 people).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, 256 << 10) and mallopt(M_ARENA_MAX, 2))


def give_back() -> bool:
    """Return freed memory to the system, which `keep_large_blocks` keeps; True where that was possible. Takes milliseconds."""
    if platform.libc_ver()[0] != "glibc":
        return False
    ctypes.CDLL(None).malloc_trim(0)
    return True
