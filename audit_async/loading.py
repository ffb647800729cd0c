"""Load packages in a thread of ours so that a fork in that very moment does no harm.

A module that another thread is importing while the process forks stays locked in the child for ever: whoever imports it there hangs.
So a fork waits for our own imports, which take some tenths of a second, once.
"""

from __future__ import annotations

import os
import threading

LOADING = threading.RLock()
"""Held while a thread of ours imports a package."""

# The thread that forks holds it at that moment, in the parent and, as the only one left, in the child.
os.register_at_fork(before=LOADING.acquire, after_in_parent=LOADING.release, after_in_child=LOADING.release)
