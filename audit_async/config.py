"""Every number of the package: its name, its unit, its default and the reason for it.

One file, however long: whoever asks what is waited for, or how much is kept, looks in one place, and its parts are in
the order of an event's way.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# --- values and events -------------------------------------------------------------------------------

MAX_EVENT_BYTES = 64 * KIB
"""Of an encoded event. A row larger than this is no audit record any more, but an attachment."""

MAX_STRING_CHARS = 16 * KIB
"""Of one text value. Keeps a stack trace whole, and stops a response body."""

MAX_ID_CHARS = 1024
"""Of an id, an address or another short text. The largest id seen in the field is a 255 character e-mail or ARN;
the limit leaves room, and an index row on PostgreSQL holds 2,704 bytes."""

MAX_ADDRESS_CHARS = 128
"""Of an IP address: the longest has 45, with the name of an interface behind it 61."""

MAX_WORD_CHARS = 64
"""Of a word that may be a member of an enumeration, or of a time: the longest of either has some 35. Nothing longer
is searched for one."""

MAX_ACTION_CHARS = 128
"""Of an action. The longest canonical one has 28."""

MAX_DEPTH = 16
"""Containers inside containers. Deeper values are data structures, not descriptions of what happened."""

MAX_ITEMS = 1000
"""Of one container. An org-sync that touched more should say how many, not which."""

MAX_HASHED_BYTES = 16 * MIB
"""Of a truncated value: what its SHA-256 covers. At about 1 GB/s this bounds the caller's time to some 16 ms."""

MAX_VALUE_CHARS = 8 * MAX_EVENT_BYTES
"""Read of one value, in characters of JSON: one that is worth more cannot fit into an event, so that the rest of it
need not be walked. Several events' worth, since secrets are taken out later: what is harmless behind them has to be
there then."""

ITEM_CHARS = 16
"""That an item of a container counts for in it: walking one takes as long as copying far more text. So sixteen lists,
each holding the next a thousand times, end after 32,000 items, some 10 ms."""

MAX_CAUSES = 5
"""Of an exception: those that led to it. What is behind them is in the application's own log."""

MAX_FRAMES = 20
"""Of a traceback: the innermost ones, file, line and function of each."""

MAX_INT_BITS = 63
"""Integers beyond a signed bigint become text: no database and no JSON reader agrees on them."""

CLOCK_STEP_BACK_MICROSECONDS = 1_000_000
"""A clock that goes back by less is held still until it has caught up, so that ids stay in order. One that goes
back by more was set by somebody, and is followed."""

CONTEXT_SPELLINGS = 4096
"""Distinct free-form actions, and distinct keys, whose look-up is remembered. Bounds memory if someone puts an
id into an action or a key."""

MAX_KEY_CHARS = 256
"""Of a key in an object."""

DUMPED_CONTEXT_BYTES = 16 * KIB
"""Of a dumped context, as JSON: four times what a full one with the longest ids seen takes, and a tenth of what the
strictest brokers carry (128 KiB of headers)."""

LOADED_CONTEXT_BYTES = 64 * KIB
"""Of a context that is loaded: what was dumped, with every letter escaped and some keys of a later version."""

LOADED_CONTEXT_KEYS = 100
"""Of an object in it: several times what any version has. One with more was not made by `dump`."""

# --- web ---------------------------------------------------------------------------------------------

MAX_REQUEST_ID_CHARS = 128
"""Of a request id that a client may give: those in use have 20 to 60."""

MAX_AGENT_CHARS = 1024
"""Of a user agent: browsers send some 150, and a header may have 64 KiB."""

MAX_PATH_CHARS = 1024
"""Of a path, where no template stands for it: servers take up to 64 KiB, which nobody reads."""

MAX_METHOD_CHARS = 32
"""Of a method: the longest registered one has 17."""

MAX_PROXIES = 32
"""Addresses in front of us that a request is followed through: some pass five. Each costs a look at a few networks."""

MAX_PATH_PREFIXES = 16
"""Segments of a path behind which a mounted route is looked for: its pattern is tried on each rest."""

ANSWER_SECONDS = 1.0
"""That a request waits for the application to say who its user is, where it says so in a coroutine: a look-up takes
some ms."""

SLOW_ANSWER_SECONDS = 0.1
"""Of a plain function that says so: it blocks an event loop meanwhile, which no deadline can end."""

SLOW_ANSWERS = 3
"""In a row, after which nobody waits for that answer for a while: one may be the fault of a busy machine."""

ANSWER_REST_SECONDS = 30.0
"""That while. So a look-up that hangs costs requests some seconds in a minute, and not each of them one."""

PLAIN_ANSWER_CHARS = 35
"""Of an id that is taken as it is: shorter than a UUID in any spelling that has to be looked at."""

# --- redaction ---------------------------------------------------------------------------------------

PSEUDONYM_HEX_DIGITS = 32
"""Of a pseudonym: 128 bits of the keyed hash, so that no two values ever share one."""

MAX_ADDRESSES = 100
"""Between commas in one value: a request has passed through fewer."""

MAX_ECHOES = 200
"""Secrets, and names, of one event that are looked for in its other texts: an event with more of them is no record of
what somebody did."""

LEAST_WORD_ECHO_CHARS = 12
"""Of a secret that is one lower-case word: a shorter one (`password`, `success`) is in sentences that mean none."""

MASKED_IPV4_BITS = 24
"""Of an IPv4 address that are kept where addresses are masked: the network, of 256 addresses."""

MASKED_IPV6_BITS = 48
"""Of an IPv6 address that are kept: what a provider gives one site."""

LEAST_SECRET_ECHO_CHARS = 6
"""Of a secret that is looked for in the event's texts as well: shorter ones occur in other words."""

LEAST_ECHO_CHARS = 3
"""Of a name or an address that is looked for there, as a whole word: in sentences shorter ones are as well."""

LEAST_PSEUDONYM_KEY_BYTES = 16
"""Of the key of pseudonyms: with 128 bits nobody tries all keys. One that is made at random has 32."""

MAX_NAME_CHARS = 24
"""Of a word behind a secret's name in a list of two that is taken for one more name. Longer ones are values."""

LEAST_TOKEN_CHARS = 12
"""Of a word behind `token:` in a sentence that goes, whatever it is made of. The longest word that says what is wrong
with a token (`unsupported`) has 11."""

JSON_LEVELS = 3
"""Of JSON in a text in JSON that are taken apart. Deeper ones are searched as text."""

MAX_PLANNED_KEYS = 32
"""Of an object whose redaction is worked out once for all with the same keys and types. Larger ones seldom come
twice."""

MAX_QUICK_CONTAINERS = 32
"""Of an event's details that are looked at for secrets in one loop. More are seldom, and one that holds itself would
never end."""

# --- journal -----------------------------------------------------------------------------------------

SEGMENT_BYTES = 8 * MIB
"""Of a segment file: about 16,000 events, a quarter of a second at full speed, so that delivered ones are
given back soon and a new one is seldom needed."""

FIRST_SEGMENT_BYTES = 1 * MIB
"""Of a process's first segment, so that a job that logs three events reserves little."""

SEGMENT_HEADER_BYTES = 256
"""Of a segment's header: its fields take 168, the rest is for later formats."""

MAX_PAYLOAD_BYTES = 512 * KIB
"""Of one frame. Far above an event's limit, and below what a first segment holds."""

JOURNAL_MAX_BYTES = 1 * GIB
"""Of all segments of one process: two million events, most of a working day's outage for a busy service."""

JOURNAL_SHARE_OF_FREE_SPACE = 0.10
"""The default budget is never more than this share of what the disk had free at the start: an audit log must
not be what fills the disk."""

JOURNAL_MIN_BYTES = 2 * SEGMENT_BYTES
"""The least budget that can turn its segments over."""

URGENT_SHARE = 0.05
"""Of a budget, kept for events of high severity when it is nearly used up: of 1 GiB room for 100,000, which are rare
enough for days."""

URGENT_SEGMENT_SHARE = 0.125
"""Of the budget on disk, which that is raised to where it is less than one segment, and no farther: what is refused of
ordinary events for it has to stay small in a small budget."""

NEARLY_FULL = 0.8
"""Of a budget, from which on `health()` is degraded: at a steady rate four fifths of an outage are over, and a fifth
is left to act in."""

MOST_BYTES = 2**63 - 1
"""Of any budget: the largest file that there can be. What is more is a slip, or no number at all."""

MEMORY_MAX_BYTES = 64 * MIB
"""Of events kept in memory when no disk takes them: about 100,000, minutes of a busy service."""

SYNC_INTERVAL_SECONDS = 0.05
"""Between two group commits when nobody waits: what a power cut can take from callers that asked for nothing."""

HEAL_INTERVAL_SECONDS = 1.0
HEAL_MAX_INTERVAL_SECONDS = 30.0
"""Between two attempts to sync a disk that refused: the first, and after many. A disk that takes no entries at all is
looked at again after the first."""

RESERVE_AT = 0.5
"""How full a segment is when the next one is made: early enough at 50 MB/s, late enough for a short job."""

MAPPED_FILE_SYSTEMS = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs", "overlay"})
"""Where `posix_fallocate` was measured to reserve for real: a mapped write can then never meet a full disk,
which the kernel would answer with SIGBUS. Elsewhere segments are written by `pwrite`."""

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "afs", "lustre", "fuse.sshfs"}
)
"""Where a file lock of another host cannot be relied on: only files of the same host are adopted there."""

ADOPT_INTERVAL_SECONDS = 60.0
"""Between two looks for journals whose process has died."""

MAX_ORPHANS = 16
"""Dead processes' journals that are taken over at once: each costs three descriptors, of which the application may have
1,024. After a night of crashes the others wait their turn."""

FOLLOW_INTERVAL_SECONDS = 0.02
"""Between two looks at the confirm mark of a process that only journals, while somebody waits for it."""

SLOT_BYTES = 2048
"""Of one of the two slots of the mark: its counts, and the failed numbers below, take some 1,000."""

MAX_RECENT_FAILED = 64
"""Numbers of failed entries that the mark tells a process which only journals; others it takes for stored."""

MAX_RESCUED_BYTES = 4 * SEGMENT_BYTES
"""Written once more after a failed sync, under the journal's lock: about 30 ms. Beyond it the disk is given up."""

MAX_SAMPLES = 1000
"""Of when entries came: some 50 s of group commits exactly, longer outages in coarser steps."""

MOVE_AT_ONCE = 1000
"""Entries moved from memory to disk under the journal's lock at a time: about 1 ms."""

MAX_HELD_EVENTS = 10_000
"""Events that wait for the end of one transaction: what a large org-sync says of its members one by one, and some
5 MB. A transaction that says more is better off committing in parts."""

MAX_QUARANTINED_BYTES = 4 * MIB
"""Of a file in quarantine: a frame of the largest size, in base64 or set out in lines, several times over."""

# --- writer ------------------------------------------------------------------------------------------

BATCH_ENTRIES = 5000
"""Of one transaction: at 5,000 the cost of a COPY is spread thin (95,000 events/s against 73,000 at 1,000)."""

BATCH_BYTES = 4 * MIB
"""Of one transaction: bounds the writer's memory and the time that a lock is held."""

LINGER_SECONDS = 0.010
"""Waited for company when nobody waits for a receipt: halves the CPU of an event at 2,000 events/s."""

PASSES_WITHOUT_LOOK = 10
"""Turns of the writer's own event loop, one after the other with something to do, before it looks for what has come in:
a batch takes fewer between two waits, and what comes in meanwhile waits some 0.1 ms."""

CONNECT_SECONDS = 5.0
"""For a connection: a server that needs longer will be asked again."""

STATEMENT_SECONDS = 20.0
"""For one statement, by the server's clock."""

ATTEMPT_SECONDS = 30.0
"""For a whole attempt, connection and all, by our own clock: a frozen server answers no time-out."""

CANCEL_SECONDS = 1.0
"""For each of the two steps of cancelling an attempt that overran."""

SLOW_ATTEMPT_SECONDS = 1.0
"""After this an attempt counts as an outage: `write()` then waits for the disk only."""

BACKOFF_FIRST_SECONDS = 0.1
BACKOFF_MAX_SECONDS = 30.0
"""Full jitter between them, without end: an outage costs one connection attempt every 15 s on the average."""

FOREIGN_KEY_SECONDS = 60.0
"""For the row that a foreign key points to: callers log before they commit their own transaction."""

LEAST_TIMING_SECONDS = 0.001
"""Of any time in `Timing`: servers count in milliseconds, and take 0 for no limit at all."""

MAX_TIMING_SECONDS = 24 * 3600.0
"""Of any time in `Timing`: a day. Who waits longer for a server means milliseconds."""

MAX_KEEPALIVE_SECONDS = 32_767
MAX_KEEPALIVE_COUNT = 127
"""That Linux takes for a socket; beyond them the server would keep its own in silence."""

FOREIGN_KEY_RETRY_SECONDS = 1.0
"""Between two tries of the entries that wait for such a row."""

MAX_PARKED = 1000
"""Entries that may wait for such rows at once; beyond it something else is wrong than a transaction under way."""

DOUBT_SAMPLE = 8
"""Entries of a refused batch that are tried one by one, before all of it is taken to be refused for the same cause."""

MAX_DOUBTED_ENTRIES = 2 * BATCH_ENTRIES
"""That a batch grows to in the search for one that the table takes, which proves that the others are at fault."""

GIVE_UP_ROWS = 100
"""Rows encoded between two chances for other threads: 0.3 ms of holding the interpreter where they are copied, 0.6
where the driver encodes them. 250 would save a tenth of the writer's work, but where processors are scarce a thread
misses many a chance: an event loop in another thread then came a third later."""

GIVE_UP_ENTRIES = 500
"""Read from the journal, or decoded, before the writer's thread gives the interpreter up: 0.7 ms. All of a batch at
once is up to 14, in which an event loop in another thread stands still, 5 ms each time that it wants to run."""

GIVE_UP_BYTES = 512 * KIB
"""Of a file, read at once for as many entries: 500 have about half of that. More would be read again for the next ones.
"""

GIVE_UP_SECONDS = 50e-6
"""The sleep that gives the interpreter up. 0 does not (measured: 64 ms of stalls against 11)."""

GIVE_WAY_TURNS = 5
"""Given to callers that were told of their rows, all at once, to log what comes next, as long as less than half of them
have: turns of their loop where the writer shares it, `GIVE_UP_SECONDS` each where it has a thread."""

GIVE_UP_HOGGED_SECONDS = 0.002
"""Two give-ups in a row that took longer met a thread that hogs the interpreter: yielding to it more often only slows
us. One alone may be the processor's, which had other work."""

GIVE_UP_HOGGED_ROWS = 1000
"""Rows between two give-ups for the rest of such a batch."""

MAPPED_ROWS = 50
"""Rows through a map made at once, a column after the other: alone each takes a third longer. What is parsed for them
lives until all are done, and has to be so little that Python's collector takes no notice."""

MAX_WAIT_SECONDS = 2.0
"""That `write()` and `require()` wait at most: what a person at a log-in form does not yet notice as a fault."""

TELL_LOSSES_SECONDS = 60.0
"""Between two `audit.gap` events of one process in an outage: a process that is killed tells of nothing any more, and
such an event takes half a kilobyte of a budget that is used up."""

LATE_SECONDS = 60.0
"""That an event may be pending before `health()` is degraded: longer than any back-off of a writer that runs."""

# --- store -------------------------------------------------------------------------------------------

COPY_ROWS = 16
"""From here up COPY is cheaper than INSERT (client and server together they meet at 12 to 14, at 64 it wins by 1.4)."""

ADMIN_STATEMENT_SECONDS = 60.0
"""For one statement that makes or looks at a table, by our own clock: it takes a tenth of a second, and waits for
another process that makes one for `CREATE_LOCK_SECONDS` at most. A frozen server answers no time-out of its own."""

LONG_STATEMENT_SECONDS = 3600.0
"""For one statement of `maintain` and `upgrade`, by our own clock: the index of a month of a hundred million rows takes
minutes, and a run has to end before the next one, a day later."""

LOCK_SECONDS = 5.0
"""For a lock on the table: behind an ALTER TABLE events wait in the journal, not in the server's queue. On SQLite for
another process's transaction on the same file."""

IDLE_IN_TRANSACTION_SECONDS = 30.0
"""After which the server ends a transaction that our process left behind."""

KEEPALIVE_IDLE_SECONDS = 15
KEEPALIVE_INTERVAL_SECONDS = 5
KEEPALIVE_COUNT = 3
"""The server's view of a client that vanished in the middle of a COPY: its keys are free after half a minute."""

TERMINATED_SECONDS = 5.0
"""For an own session of an earlier attempt to end, before its entries are sent again."""

LOOK_AGAIN_SECONDS = 0.005
"""Between two looks whether it has ended: it takes a backend a millisecond or two."""

READER_STATEMENT_SECONDS = 30
"""For one statement of a reading role: what takes longer wants a narrower time, and keeps a server busy."""

MAX_STATEMENT_SECONDS = 86_400
"""For one statement of a reading role at most: a day; servers count it in milliseconds, in 31 bits."""

PAGE_EVENTS = 100
"""On a page, where nobody says otherwise: what a person looks through."""

MAX_PAGE_EVENTS = 500
"""On a page at most: with the largest events 32 MiB. Whoever wants more takes the next page, or an export."""

EXPORT_PAGE_EVENTS = 2_000
"""Read at once by what goes through many events: a MiB, and a round trip is nothing beside them. Of larger pages the
collector of Python finds more alive each time it looks, and takes a third of all the time."""

EXPORT_SLICE_EVENTS = 50
"""Of a page that are made and written at once, as lines: they are gone before the collector of Python looks at them,
and stay in a processor's cache. With all of a page at once an export takes a tenth longer."""

EXPORT_NOTE_EVENTS = 20_000
"""Between two notes of how far a file has come, each of which waits for the disk: a second of work, done again by
whoever goes on after a crash."""

MAX_QUERY_VALUES = 1_000
"""Of one field in a query: drivers and servers get slow, or refuse, somewhat above."""

MAX_CURSOR_CHARS = 4 * KIB
"""Of a cursor: that of our own table has some hundred, one of the longest keys some thousand."""

TOP_VALUES = 10
"""Of a field that has the most events, where nobody says otherwise: what a person compares at a glance."""

MAX_COUNTED_VALUES = 10_000
"""That one count returns at most, and hours or days of one activity: a year has 8,784 hours."""

MAX_LISTED_EVENTS = 5_000
"""In one list of an analysis, which has no pages. Whoever wants more searches, or exports."""

MAX_PERIOD_DAYS = 36_500
"""That an analysis looks back: a hundred years, which every database can count back from now."""

ANALYSIS_DAYS = 30
"""That an analysis looks back where nobody says otherwise: a month, as audits ask."""

FAILURES_AT_LEAST = 5
"""Of one user or address, to be called repeated: beyond what somebody does who has forgotten a password."""

READER_CONNECTIONS = 4
"""Of one reader at most, for those who ask it several things at once: each is a process of the server."""

SQLITE_WATCH_STEPS = 20_000
"""Of SQLite's machine between two looks whether a question is still wanted: about a millisecond."""

FOLLOW_LEAST_SECONDS = 0.05
FOLLOW_IDLE_SECONDS = 1.0
"""Between two looks for new events: the first while some come, and half as long again after each look in vain, up to
the second. A look in vain takes a server half a millisecond."""

FOLLOW_LOOK_SHARE = 0.2
"""Of the time that a follower may be looking where nothing comes: looks that take long are seldom."""

FOLLOW_STRETCH_ROWS = 200_000
"""Looked through at once on SQLite by a follower that was away: some tenths of a second."""

FOLLOW_TRANSACTIONS = 1_000
"""Looked through at once by a follower that has been away, on PostgreSQL: some pages of batches. Twice as many after
each look that fills no page, half as many after each that does: so a million rows are not sorted for each page."""

FOLLOW_BACKOFF_MAX_SECONDS = 5.0
"""Between two tries of a follower to reach a database that is away, with full jitter: somebody waits in front of it."""

FOLLOW_GAP_SECONDS = 3600.0
"""That a follower by numbers waits for the row of one that was left out: transactions that are open for an hour are a
fault of their own."""

FOLLOW_GAPS = 500
"""Stretches of such numbers that it waits for at once, each of them a condition in its statement."""

FOLLOW_BEGIN_NUMBERS = 10_000
"""Rows before the first new one among which it looks for gaps when it begins: two of the largest batches."""

FOLLOW_MARKS = 8
"""Rows with the last numbers of which it knows which they are, and some twenty before them: where numbers are used
again from the last of these rows on, none is given twice. A position has some hundred characters more for it."""

FOLLOW_OVERLAP_SECONDS = 900.0
"""That a follower by times looks back each time: a row that comes later, by its own time, it does not see."""

FOLLOW_WINDOW_KEYS = 100_000
"""Of rows in that window that it remembers, some 10 MB: a hundred events a second."""

FOLLOW_POSITION_KEYS = 2_000
"""Of them that its position holds, as 21 KiB of text; rows before them in the window come again after a restart."""

MAX_POSITION_CHARS = 256 * KIB
"""Of a follower's position: some hundred by snapshots; with five thousand transactions under way, more than a server
has connections, 150 KiB."""

SHOWN_DAMAGE_CHARS = 200
"""Of a value that could not be read, in the event that tells of it: enough to see what it is."""

SQLITE_LOOK_SECONDS = 0.005
"""Between two looks whether another process's transaction on a SQLite file has ended: a busy writer leaves a gap of
about a millisecond between its transactions."""

PARTITION_MONTHS_AHEAD = 24
"""Monthly partitions made by `init`: two years in which nobody has to think of it."""

PARTITION_WARNING_DAYS = 60
"""Of partitions left when the daily warning starts."""

LEAST_FOLD_CHARS = 8 * KIB
"""Of a column of text that takes the JSON of what has no column: most events have some hundred. MySQL's `text` has room
for 16 Ki of them."""

LEAST_DIGEST_CHARS = 20
"""Of a key column that is too narrow for an event's id and gets a digest of it: with 80 bits a thousand million events
have two with the same one once in two million tables."""

PARTITION_NEAR_DAYS = 40
"""Between now and a row's time: a table without a partition for it lacks one, and somebody will make it. A row that is
farther away has an odd time, and must not hold up the others."""

CHECK_SECONDS = 24 * 3600.0
"""Between two looks whether partitions are running out."""

CHECK_AGAIN_SECONDS = 600.0
"""Between two looks while they are: `health()` forgets it soon after `audit-async maintain` has run."""

MAX_MONTHS_AHEAD = 1200
"""That can be asked for: a century. More is a slip of the finger."""

STRAY_MONTHS_BACK = 12
"""Months before this one that get a partition of their own as soon as one row of them lies in the default one."""

STRAY_ROWS = 10_000
"""Rows of one month farther away that are worth a partition. Fewer are no load where they are, and a table with a
partition for every wrong clock is slower to read."""

LOCK_TRY_SECONDS = 0.5
"""That maintenance waits for a lock, and writers behind it: below the second after which PostgreSQL looks for a
deadlock, and a quarter of what a caller of `write()` may wait."""

LOCK_TRIES = 8
"""Times that it tries before it says what it could not do: about ten seconds beside a report that reads the table."""

LOCK_TURN_SECONDS = 300.0
"""That a second `maintain` waits for the first one: longer than a usual one takes."""

LOCK_TURN_LOOK_SECONDS = 0.1
"""Between two looks whether it has ended."""

MAX_RETENTION_DAYS = 3_652_058
"""That a rule can keep rows for: between the first and the last day that a date can say, in the years 1 and 9999."""

CLOCK_DIFFERENCE_SECONDS = 300.0
"""Between the server's clock and ours, above which nothing is removed: the five minutes that Kerberos puts up with.
Clocks that are kept right differ by less than one second."""

PURGE_ROWS = 10_000
"""Deleted in one transaction: a fraction of a second, for which writers into the same partition wait."""

KEYS_AT_ONCE = 100
"""Keys looked for in one statement of the plain store: 200 parameters, which every database takes."""

KEY_LOOKS = 5
"""Times the plain store looks for keys again, when another process inserts the same rows meanwhile."""

ROWS_AT_ONCE = (GIVE_UP_ROWS, 25, 5, 1)
"""Rows in one statement for SQLite: many cost half of as many statements, and few sizes are each parsed once; 64, 8 and
1 are an eighth slower. All values of a statement are bound, 1.2 µs a row, without a chance for other threads."""

MARIADB_ROWS_AT_ONCE = 128
"""Rows in one prepared statement for MariaDB and MySQL, at most: above 100 the round trip no longer counts (58,000
rows/s at 25, 70,000 at 100 and at 1,000), and other threads get their turn while the server works."""

MARIADB_PACKET_SHARE = 0.25
"""Of `max_allowed_packet` that one statement may take: its values are counted, not what the protocol adds to them."""

MARIADB_VALUE_BYTES = 16
"""That the protocol adds to a value at most: type and length, or the whole of it where it is a number or a time."""

MARIADB_IDLE_SHARE = 0.5
"""Of the server's `wait_timeout` after which an idle connection is made anew, before the server, or what stands between
us, has closed it."""

CREATE_LOCK_SECONDS = 30
"""For another process that makes our table on MariaDB or MySQL at the same time; making it takes a tenth of one."""

MARIADB_KEY_CHARS = 512
"""Of an id in a key of our table there: an index holds 3,072 bytes, and one over id, time and action takes 2,568 at
four bytes a character. Twice the longest id seen in the field."""

# --- life --------------------------------------------------------------------------------------------

CLOSE_SECONDS = 5.0
"""For `close`, `flush` and `shutdown`: below the ten seconds that container hosts give."""

EXIT_SECONDS = 1.0
"""That the end of a program that did not close its logger waits for its last events. A courtesy, on which nothing
depends: what has not arrived by then is on disk."""

CLOSE_HARD_SECONDS = 1.0
"""On top of it, for cancelling what is under way."""

FORK_SECONDS = 30.0
"""That a fork waits at most for a batch on its way into SQLite, which waits for nobody but the disk then, and for the
file to be closed: a child that is forked before never gets its own events in. On a disk that many write to, each of the
three syncs of that was seen to take seconds."""

LOADING_SECONDS = 30.0
"""That a fork waits at most for an import in a thread of ours, and one import for another: a child that is forked in
the middle of one never gets it done. The slowest takes half a second; 5.5 s were seen where twenty programs shared two
processors."""

ROUND_INTERVAL_SECONDS = 2.0
"""Between two rounds of the journal's own thread when nothing is logged: what else changes (a batch that arrived, a
fault that ended) is in the status file by then. One round takes some 50 us."""

STATUS_INTERVAL_SECONDS = 2.0
"""Between two writes of the status file, and only when something changed: as old as what a person looks at may be."""

STALE_STATUS_SECONDS = 30.0
"""After which the status of a living process with events pending is called stale: its thread, or its disk, hangs."""

MAX_STATUS_BYTES = 64 * KIB
"""Of a status file: thirty times what one has with every counter and a handful of reasons."""

WATCH_SECONDS = 2.0
"""Between two looks of `audit-async stats --watch`: more often there is no news."""

# --- jobs --------------------------------------------------------------------------------------------

JOB_ITEMS = 100
"""Of the events that a job logs of what went well, those that are logged one by one: all that a person reads, and all
of a usual sync. What comes behind them is counted, so that one of 5,000 members leaves no flood."""

JOB_NAMES = 100
"""Of counters of a job, and of actions that it counts; what has another name is counted as `other`. Bounds its last
event if someone puts an id into a name."""

# --- exports -----------------------------------------------------------------------------------------

CEF_KEY_CHARS = {
    **dict.fromkeys(("act", "outcome"), 63),
    **dict.fromkeys(("suser", "suid", "cat", "reason", "msg", "requestClientApplication"), 1023),
    **dict.fromkeys(("cs1", "cs2", "cs3", "cs4", "cs5", "cs6"), 4000),
    "externalId": 40,
}
"""That the dictionary of CEF gives its keys. What is longer goes whole under a key of our own."""

SYSLOG_FACILITY = 13
"""`log audit` of RFC 5424, section 6.2.1."""

SYSLOG_LINE_BYTES = 8 * KIB
"""Of a syslog line: what a receiver over TLS should take (RFC 5425, section 4.3.1). Over UDP it may be only 2 KiB."""

LEAST_SYSLOG_LINE_BYTES = 2 * KIB
"""Of that limit: what every receiver should take (RFC 5424, section 6.1), and room for the longest header."""

MOST_SYSLOG_LINE_BYTES = 256 * KIB
"""Of that limit: four times what an event holds, so that the escapes of any one fit."""

SYSLOG_HOST_CHARS, SYSLOG_APP_CHARS, SYSLOG_PROCID_CHARS, SYSLOG_MSGID_CHARS = 255, 48, 128, 32
"""Of these parts of a header (RFC 5424, section 6)."""

SYSLOG_SD_CHARS = 32
"""Of the name of structured data (RFC 5424, section 6.3.2)."""

SYSLOG_SHORT_CHARS = 128
"""Of a value in a line that would be too long: an id or a name is whole, a text has its beginning."""

SYSLOG_MESSAGE_BYTES = 256
"""Of such a line, kept for the sentence at its end."""

# --- doctor ------------------------------------------------------------------------------------------

CHECKUP_SECONDS = 20.0
"""That `audit-async doctor` waits for a database in all: one that is frozen is told as such while a person waits."""

DISK_ANSWER_SECONDS = 10.0
"""That it waits for the journal's disk: one that needs longer hangs, which `health()` says as well."""

PROBE_BYTES = 4096
PROBE_SYNCS = 5
"""Written, and synced, to measure a disk: one page each time; the median of five tells nothing of a single hiccup."""

SLOW_SYNC_SECONDS = 0.1
"""Of one `fdatasync`, above which it is said: a disk takes 0.05 to 20 ms."""

CLOCK_NOTE_SECONDS = 5.0
"""Between two clocks, above which it is said. Those that are kept right differ by less than one second."""

LEAST_VERSIONS = {
    "sqlalchemy": ("2.0.40", "it is what this package is tested with"),
    "asyncpg": ("0.32", "older ones hang for ever on a frozen server"),
    "asyncmy": ("0.2.13", "older ones hand the next query what a cancelled one left on the connection"),
    "aiosqlite": ("0.20", "it is what this package is tested with"),
}
"""Of packages, with the reason: those that `pyproject.toml` asks for, which an environment need not have obeyed."""

LEAST_POSTGRES = 13
"""The first with the transaction numbers that the table's order of commits is made of."""

LEAST_PACKET_BYTES = 1 * MIB
"""Of MariaDB's and MySQL's `max_allowed_packet`: four times it in statements holds one event of the largest size, and
the tables' other columns."""

SQLITE_WAL_MENDED = (3, 51, 3)
"""The first version of SQLite in which a checkpoint cannot meet a reset of the write-ahead log."""

# --- importing ---------------------------------------------------------------------------------------

MAX_IMPORTED_BYTES = 1 * MIB
"""Of one record of a file: sixteen times what an event holds, so that one is never refused for its spelling."""

MAX_REJECTED_BYTES = 16 * MIB
"""Of a refused record that are kept for mending. The rest of a longer one is passed over: it is no record."""

IMPORT_CHUNK_BYTES = 256 * KIB
"""Read of a file at a time: few system calls, and no memory to speak of."""

IMPORT_BATCH_RECORDS = 1000
"""Logged before the import waits for the table: what a kill makes the next run log once more."""

IMPORT_BATCH_BYTES = 1 * MIB
"""Of the records of such a batch: in any spelling their events fit into the smallest journal several times."""

IMPORT_FULLNESS = 0.5
"""Share of the journal in use above which an import waits: the other half is for who cannot wait."""

IMPORT_WAIT_SECONDS = 60.0
"""That an import waits for the table without one event arriving: two of a writer's longest back-offs."""

IMPORT_LOOK_SECONDS = 0.05
"""Between two looks whether the journal has room again."""

IMPORT_DIGEST_BYTES = 16
"""Of a key, and of what an event says: two that differ never have the same one."""

IMPORT_REPEATS_KIB = 8 * KIB
"""Of memory for the keys that an import has seen: those of some 100,000 records; of a longer file they are on disk."""

SHOWN_REJECTS = 20
"""Refused records that a report names: enough to see what is wrong with the file. All are counted."""

SHOWN_FOLDED = 40
"""Names in a report of what has no field of its own: who makes each key anew must not fill the memory."""

MAX_OPERATIONS = 1000
"""Different operations that a report counts one by one; what is beyond them is counted together."""

# --- what is said ------------------------------------------------------------------------------------

DIAGNOSTIC_INTERVAL_SECONDS = 60.0
"""Between two of our own log lines of one kind."""

OBSERVED_SECONDS = 0.1
"""That one look at a logger serves the instruments of OpenTelemetry: a collection asks all of them within a few ms,
and their values are to be of one moment; two collections are seconds apart."""

MIRROR_CHARS = 1000
"""Of each text in the line that mirrors an event in the system log: a line, and no page."""

MAX_TEXT_CHARS = 300
"""Of a foreign error's text in a log line: a sentence, and no page of parameters."""

DRAIN_INTERVAL_SECONDS = 0.1
"""Between two looks of `drain` for entries of processes that only journal: what their `stored()` waits at most,
on top of the insert."""

MAX_SHOWN_CHARS = 1000
"""Of one text on a line of the terminal tool: what says more is shown whole as JSON."""

SPINNER_SECONDS = 0.3
"""Before a terminal is told that something goes on: what is answered sooner needs no telling."""

TAIL_EVENTS = 10
"""That `tail` begins with, as the command of that name for files."""

COLUMN_CHARS = 36
"""Of a column of the terminal tool's lists, as long as a UUID: what is longer pushes the rest of its own line aside."""

BAR_CHARS = 20
"""Of the longest bar beside numbers: enough to see which is twice another."""

DESCRIPTION_CHARS = 24
"""That have to fit beside the other columns, or else it gets lines of its own: some words."""

DROPPED_IDS = 50
"""Named in one event when they are dropped from quarantine: with the longest ids they fit into it."""

DRAIN_SECONDS = 60.0
"""That `drain --once` tries against a database that takes nothing."""

SHOWN_EVENTS = 20
"""Listed by a failed assertion, the newest: as many as a test is about, and no page."""

SHOWN_VALUE_CHARS = 200
"""Of one value in a failed assertion: two lines of a terminal."""

ACTION_WEIGHT = 2.0
"""Of the action, where any other field weighs 1, in saying which event is nearest to the expected one: of two that
differ in one field each, the one of the right action is."""
