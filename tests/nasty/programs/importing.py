"""Log while modules are being imported, by this thread and by others.

python -m tests.nasty.programs.importing URL JOURNAL_DIR
"""

from __future__ import annotations

import _imp
import sys
import threading

from audit_async import AuditLogger, events


def main() -> None:
    # `_imp`'s lock is the one for all modules: whoever holds it lets no thread of ours import anything.
    audit = AuditLogger(sys.argv[1], journal_dir=sys.argv[2])
    _imp.acquire_lock()
    try:
        is_accepted = audit.log(events.custom("nasty.locked")).is_accepted
        other = threading.Thread(target=lambda: audit.log(events.custom("nasty.other_thread")))
        other.start()
        other.join()
    finally:
        _imp.release_lock()
    assert is_accepted
    from tests.nasty.programs import logging_at_import

    logging_at_import.begin(audit)
    assert audit.close_sync(20)
    print("done", flush=True)


if __name__ == "__main__":
    main()
