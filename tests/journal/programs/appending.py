"""Append numbers to a journal, and report each after `append` has returned, until killed.

python -m tests.journal.programs.appending DIRECTORY LABEL
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from audit_async.journal import spool
from tests.journal.journals import SMALL_SEGMENT, open_journal


def main() -> None:
    # Many segments, so that a kill meets every step of turning them over.
    vars(spool).update(SEGMENT_BYTES=SMALL_SEGMENT, FIRST_SEGMENT_BYTES=SMALL_SEGMENT)
    journal = open_journal(Path(sys.argv[1]))
    number = 0
    while True:
        number += 1
        text = b"%s %d" % (sys.argv[2].encode(), number)
        journal.append(text.ljust(200, b"."))
        os.write(1, text + b"\n")


if __name__ == "__main__":
    main()
