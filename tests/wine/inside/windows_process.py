"""What Windows says of this process."""

from __future__ import annotations

import ctypes


def handles():
    """Return how many handles this process has open (GetProcessHandleCount)."""
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    count = ctypes.c_uint32()
    assert kernel.GetProcessHandleCount(ctypes.c_void_p(kernel.GetCurrentProcess()), ctypes.byref(count))
    return count.value
