"""Memory of the process: whether what programs free is kept for the next run."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Parameters of glibc's mallopt, from its malloc.h."""


def keep_freed_memory() -> bool:
    """Lets the C library keep freed memory, so that the next run finds its pages mapped.

    XLA's CPU backend asks for its buffers anew in every run. Large ones come from the system and
    go back to it, and each of their pages of 4 KiB is mapped and cleared when it is first touched:
    370,000 times in one call of FID's network on 16 pictures, a third of its time. Kept memory is
    mapped once. The process stays as large as it has been. Call before the first computation.

    Returns:
        Whether the C library can do so: glibc can, others leave memory as it was.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    # Everything from one heap that grows and is never trimmed: heaps of threads hold 64 MiB at
    # most, and what is larger would be mapped apart again.
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_ARENA_MAX, 1))
    return all(library.mallopt(name, value) == 1 for name, value in settings)
