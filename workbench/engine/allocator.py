"""Keep freed memory in the process on Linux: without it every large tensor is mapped, page-faulted and unmapped anew."""

from __future__ import annotations

import ctypes
import functools
import platform

# names of glibc's mallopt(3)
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3


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


def give_back() -> bool:
    """Return freed memory to the system, which `keep_large_blocks` keeps; True where that was possible. Takes milliseconds."""
    if platform.libc_ver()[0] != "glibc":
        return False
    ctypes.CDLL(None).malloc_trim(0)
    return True
