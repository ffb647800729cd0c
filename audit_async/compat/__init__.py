"""Old faces over the one logger, for programs that were written for another: one file a face.

    desktop   the desktop client's queue and uploader: `init_audit_logger`, `log_use`, `log_login`

Each keeps the names, the parameters and the promises that its callers know; what is logged goes the way of every
event.
"""

from __future__ import annotations
