"""Events inside the caller's own transaction. Only this package touches a session that is not ours.

    callers      which session or connection was given
    insertion    the row, in a savepoint of the caller's connection
    statement    the statement for each database
    held         events that wait for the end of a transaction
    endings      how a session's, or a connection's, transaction ends
    scope        what `within()` gives
    adding       what one logger needs for all of that
    calls        `add()`, `add_sync()` and `within()`

Nothing here commits, flushes or expires anything of the caller's. A row goes into a savepoint, so that a refused one
leaves the transaction usable; the event then waits, encoded, for the transaction's end, as those of `within()` do.
"""

from __future__ import annotations
