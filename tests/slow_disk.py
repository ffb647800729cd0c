"""A disk that is slow, or refuses: it stands before the real one."""

from __future__ import annotations

import errno
import os
import threading
import time


class Disk:
    """Stands before the real `fdatasync`: counts, refuses and holds up, file by file.

    Attributes:
        seconds: that each takes longer.
    """

    def __init__(self) -> None:
        self.real = os.fdatasync
        self.seconds = 0.0
        self.asked: list[str] = []
        self.refused: list[str] = []
        self.refusals_left = 0
        self.is_free = threading.Event()
        self.is_free.set()

    def sync(self, descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        self.asked.append(name)
        self.is_free.wait(30)
        time.sleep(self.seconds)
        if self.refusals_left:
            self.refusals_left -= 1
            self.refused.append(name)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.real(descriptor)
