"""Upload what other processes journal, until killed.

python -m tests.programs.draining_child URL JOURNAL_DIR
"""

from __future__ import annotations

import asyncio
import sys

from audit_async.drain import drain
from audit_async.settings import read_settings

if __name__ == "__main__":
    asyncio.run(drain(read_settings(sys.argv[1], journal_dir=sys.argv[2]), follow=True))
