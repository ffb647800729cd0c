"""Be a desktop program: log that a model was used, say so, and wait to be killed.

    python -m tests.programs.desktop_child URL QUEUE_PATH COUNT

Prints `logged N` each time `log_use` has returned.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from audit_async.compat.desktop import init_audit_logger


def main() -> None:
    url, queue_path, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    audit = init_audit_logger({"url": url}, queue_path, queue_path.parent / "logs")
    for number in range(count):
        audit.log_use("王小明", "front desk", f"prompt {number}", None, "success", None, "m-1", 1200, "STOP")
        os.write(1, b"logged %d\n" % number)
    signal.pause()


if __name__ == "__main__":
    main()
