"""Faults of single rows: what the database refuses for what is in it goes aside, and nothing else does."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from audit_async import AuditLogger, events
from tests.faults.callers import Callers
from tests.faults.fault import SERVERS, fault
from tests.faults.lab import Lab
from tests.faults.ledger import event_of
from tests.faults.network import breakable
from tests.faults.postgres import locked, our_session
from tests.polling import eventually_sync
from tests.servers.proxy import Cut, FaultProxy, Trouble

POISON = "poison"
CODES = ("22021", "22P02", "22001", "22003", "23502", "23514", "54000")
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.user_id = '{poison}' THEN RAISE EXCEPTION 'it is poison' USING ERRCODE = '{code}', COLUMN = 'user_id'; END IF;
  RETURN NEW; END $$
"""
REFUSING = "CREATE TRIGGER refuse BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION refuse()"
ATTACK = """
INSERT INTO audit_logs (
  id, created_at, action, category, severity, outcome, details, metadata, tags, writer_id, writer_seq
) VALUES ($1, $2, 'report.forge', 'data', 'low', 'success', '{"by": "somebody else"}', '{}', '[]', 'somebody', 1)
"""


@contextmanager
def one_batch(lab: Lab, audit: AuditLogger) -> Iterator[Callable[..., None]]:
    """Have what is logged in the block come to the table at once, when it ends; see `locked` for what is given."""
    log_good(lab, audit, 1)
    eventually_sync(lambda: audit.stats().stored, 60)
    with locked(lab) as execute:
        log_good(lab, audit, 1)
        our_session(lab, "wait_event_type = 'Lock'")
        yield execute


def log_good(lab: Lab, audit: AuditLogger, count: int) -> None:
    """Log events that are to be in the table."""
    with lab.ledger() as ledger:
        for number in lab.numbers(count):
            ledger.tell("called", number)
            assert audit.log(event_of(number)).is_accepted
            ledger.tell("logged", number)


def log_poison(audit: AuditLogger, count: int) -> None:
    """Log events that the table refuses, and of which nobody is promised anything here."""
    for _ in range(count):
        assert audit.log(events.custom("report.spoil", user_id=POISON)).is_accepted


def refuse(lab: Lab) -> None:
    """Have the table refuse poison, each trial for another cause; its number is then missing there."""
    lab.sql(REFUSE.format(poison=POISON, code=CODES[lab.seed % len(CODES)]), REFUSING)
    lab.may_have_gaps = True


def refused_so_far(lab: Lab) -> int:
    """Return how many statements the server has refused for poison."""
    return (lab.postgres.home / "server.log").read_text().count("it is poison")


@fault("F58", "one row of 500 is poison", on=("postgres",), fast=2, quick=3)
def one_poison_row(lab: Lab) -> None:
    """Refuse one row, for one of the causes that a row may have: it is found in few attempts, the others keep order."""
    refuse(lab)
    with lab.logger() as audit:
        before = refused_so_far(lab)
        with one_batch(lab, audit):
            first = lab.chance.randrange(500)
            log_good(lab, audit, first)
            log_poison(audit, 1)
            log_good(lab, audit, 499 - first)
        eventually_sync(lambda: audit.stats().pending == 0, 60)
        stats = audit.stats()
        assert (502, 501, 1) == (stats.accepted, stats.stored, stats.quarantined), stats
        assert "1 events are in quarantine" in audit.health().reasons[0], audit.health()
        # As a whole, once more after the sample, and then by halves.
        assert refused_so_far(lab) - before <= math.log2(500) + 4


@fault("F59", "hundreds of poison rows in a row, then good ones", on=("postgres",))
def poison_in_a_row(lab: Lab) -> None:
    """Refuse many rows one after another: those behind them arrive."""
    refuse(lab)
    count = 100 if lab.seed == 0 else 500
    with lab.logger() as audit:
        with one_batch(lab, audit):
            log_poison(audit, count)
            log_good(lab, audit, 100)
        # Each is refused some twice, and each time the table is looked at anew: is it the row's fault, or its?
        eventually_sync(lambda: audit.stats().pending == 0, 300)
        stats = audit.stats()
        assert (102 + count, 102, count) == (stats.accepted, stats.stored, stats.quarantined), stats


@fault("F58", "bytes that are no event among good ones", on=("postgres",))
def unreadable(lab: Lab) -> None:
    """Write into the journal what no caller can: it is kept as it is, and the others go on."""
    lab.may_have_gaps = True  # the number of what is no event
    with lab.logger() as audit:
        log_good(lab, audit, 50)
        journal = audit._process.journal
        assert journal is not None
        journal.append(lab.chance.choice([b"{", b"[]", b"\xff\x00", b"null", b"[" * 100_000]))
        log_good(lab, audit, 50)
        eventually_sync(lambda: audit.stats().pending == 0, 60)
        stats = audit.stats()
        assert (101, 100, 1) == (stats.accepted, stats.stored, stats.quarantined), stats


def _has_failed(proxy: FaultProxy, count: int) -> bool:
    return proxy.cuts > count


@fault("F60", "an outage with an attempt on every event", on=SERVERS, quick=2)
def long_outage(lab: Lab) -> None:
    """Fail as often as there are events: an outage is never counted against them."""
    with breakable(lab, backoff_first_seconds=0.001, backoff_max_seconds=0.005) as (proxy, callers):
        proxy.breaks(Trouble(cut=Cut(direction="to_client", after_bytes=lab.chance.randrange(400), times=1_000_000)))
        for count in range(50):
            log_good(lab, callers.audit, 1)
            eventually_sync(functools.partial(_has_failed, proxy, count), 30)
        assert callers.audit.stats().quarantined == 0
        proxy.heals()


@fault("F62", "somebody else inserts the same id with other content", on=("postgres",), fast=2)
def forged(lab: Lab) -> None:
    """Have a row there before ours, under its key: the first one wins, ours counts as stored, the others arrive."""
    lab.may_have_gaps = True  # the number of the event that came second
    with Callers(lab) as callers:
        with one_batch(lab, callers.audit) as execute:
            event = events.custom("report.print", details={"by": "us"})
            assert callers.audit.log(event).is_accepted
            log_good(lab, callers.audit, 100 if lab.seed % 2 else 0)
            execute(ATTACK, event.id, event.created_at)
        callers.recover()
    (row,) = (row for row in lab.rows() if row["id"] == event.id)
    assert (row["action"], row["details"]) == ("report.forge", {"by": "somebody else"})
