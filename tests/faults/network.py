"""Faults of the network between the writer and its database: nothing of them reaches a caller, or the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url

from audit_async import AuditLogger
from tests.faults.callers import QUICK, Callers
from tests.faults.fault import SERVERS, fault
from tests.faults.lab import Lab
from tests.faults.ledger import event_of
from tests.polling import eventually_sync
from tests.servers.pgbouncer import Pooler
from tests.servers.proxy import BLACK_HOLE, LAST_WORDS, Cut, Direction, FaultProxy, Trouble

SILENT = "did not answer|TimeoutError|in time|Lost connection|connection"
ALWAYS = 1_000_000
OFFSET_SHARES = 1000
"""A trial cuts at one byte of so many, the next one at the bytes beside them."""


def through(lab: Lab, proxy: FaultProxy) -> str:
    """Return the lab's address by way of *proxy*."""
    return make_url(lab.url).set(host=proxy.host, port=proxy.port).render_as_string(hide_password=False)


@contextmanager
def breakable(lab: Lab, **timing: float) -> Iterator[tuple[FaultProxy, Callers]]:
    """Give a network that may be broken, and callers beyond it whose events arrive."""
    with (
        FaultProxy(make_url(lab.url).port or 0) as proxy,
        Callers(lab, url=through(lab, proxy), timing={**QUICK, **timing}) as callers,
    ):
        callers.store()
        yield proxy, callers


def outage(lab: Lab, trouble: Trouble, reason: str) -> None:
    """Break the network by *trouble* until health has said *reason* of it, and heal it again."""
    with breakable(lab) as (proxy, callers):
        proxy.breaks(trouble)
        callers.complain(reason)
        proxy.heals()
        callers.recover()
        callers.store()


@fault("F50", "network: refused", on=SERVERS)
def refused(lab: Lab) -> None:
    """Let nobody listen, and end what is open."""
    with breakable(lab) as (proxy, callers):
        proxy.breaks(Trouble(resets=True, refuses=True))
        callers.complain("ConnectionRefusedError|Can't connect|connection")
        proxy.heals()


@fault("F49", "network: black hole, which heals", on=SERVERS)
def black_hole(lab: Lab) -> None:
    """Swallow everything in both directions."""
    outage(lab, BLACK_HOLE, SILENT)


@fault("F50", "network: what the writer says is lost", on=SERVERS)
def deaf(lab: Lab) -> None:
    """Swallow what is said to the server."""
    outage(lab, Trouble(holds=frozenset({"to_server"})), SILENT)


@fault("F50", "network: what the server says is lost", on=SERVERS)
def mute(lab: Lab) -> None:
    """Swallow the server's answers: everything may have happened."""
    outage(lab, Trouble(holds=frozenset({"to_client"})), SILENT)


@fault("F50", "network: reset under way", on=SERVERS)
def reset(lab: Lab) -> None:
    """Reset what is open, and whatever comes."""
    outage(lab, Trouble(resets=True), "connection")


@fault("F50", "network: ended in good order under way", on=SERVERS)
def ended(lab: Lab) -> None:
    """End every connection by FIN where the server would have answered."""
    outage(lab, Trouble(cut=Cut(direction="to_client", resets=False, times=ALWAYS)), "connection")


@fault("F50", "network: garbage in place of answers", on=SERVERS)
def garbage(lab: Lab) -> None:
    """Answer with nonsense, to what is open and to who logs in."""
    outage(lab, Trouble(garbage=True), ".")


@fault("F50", "network: one byte at a time", on=SERVERS)
def trickle(lab: Lab) -> None:
    """Slow it down until no attempt ends in its time, or nearly."""
    with breakable(lab, attempt_seconds=3.0) as (proxy, callers):
        proxy.breaks(Trouble(trickles=True))
        callers.go_on(logs=100, writes=5)
        proxy.heals()


@fault("F50", "network: latency of up to 200 ms", on=SERVERS)
def latency(lab: Lab) -> None:
    """Make each passage long: fewer batches, larger ones, no outage."""
    with breakable(lab, attempt_seconds=30.0, connect_seconds=10.0) as (proxy, callers):
        proxy.breaks(Trouble(latency_seconds=min(0.2, 0.03 * (1 + lab.seed))))
        callers.go_on()
        callers.store(50)
        proxy.heals()
        callers.recover()


@fault("F51", "cut after COMMIT was sent; its answer is lost", on=SERVERS, fast=2, quick=4, full=100)
def committed_unheard(lab: Lab) -> None:
    """Have batches committed of which the writer does not learn it."""
    _cut_commits(lab, forwards=True)


@fault("F51", "cut before COMMIT arrives", on=SERVERS, fast=1, quick=2, full=50)
def commit_unsaid(lab: Lab) -> None:
    """Have batches lost with the word that would have made them last."""
    _cut_commits(lab, forwards=False)


def _cut_commits(lab: Lab, *, forwards: bool) -> None:
    with breakable(lab) as (proxy, callers):
        times = lab.chance.randrange(1, 4)
        cut = Cut(at=LAST_WORDS[lab.kind], forwards=forwards, resets=lab.chance.random() < 0.5, times=times)
        proxy.breaks(Trouble(cut=cut))
        with lab.ledger() as ledger:
            # At once, so that they come in batches of many.
            for _ in range(4):
                for number in lab.numbers(200):
                    ledger.tell("called", number)
                    assert callers.audit.log(event_of(number)).is_accepted
                    ledger.tell("logged", number)
                callers.store(100)
        callers.recover()
        assert proxy.cuts >= 1, "no batch was cut at its end"


@fault("F48", "half-open: the server does not learn that the writer is gone", on=SERVERS, quick=2, full=50)
def half_open(lab: Lab) -> None:
    """Leave sessions on the server that hold the very keys which come again, and never end by themselves in time."""
    with breakable(lab, idle_in_transaction_seconds=3600.0 if lab.kind == "postgres" else 2.0) as (proxy, callers):
        proxy.breaks(Trouble(cut=Cut(at=LAST_WORDS[lab.kind], half=True, times=2)))
        with lab.ledger() as ledger:
            while not proxy.cuts:
                for number in lab.numbers(200):
                    ledger.tell("called", number)
                    assert callers.audit.log(event_of(number)).is_accepted
                    ledger.tell("logged", number)
                callers.go_on()
        callers.recover()


@fault("F51", "cut at every byte of the exchange", on=SERVERS, fast=1, quick=2, full=OFFSET_SHARES)
def every_byte(lab: Lab) -> None:
    """Cut the first exchange of a new process at some bytes, in either direction; all trials together take all."""
    lab.timing = dict(QUICK)
    with FaultProxy(make_url(lab.url).port or 0) as proxy:
        _exchange(lab, proxy, count=20)
        lengths = dict(proxy.passed)
        first = lab.chance.randrange(OFFSET_SHARES) if lab.seed >= OFFSET_SHARES else lab.seed
        for direction, length in lengths.items():
            for offset in range(first, length, OFFSET_SHARES):
                _cut_at(lab, proxy, direction, offset)
        assert proxy.cuts > 0


def _cut_at(lab: Lab, proxy: FaultProxy, direction: Direction, offset: int) -> None:
    cut = Cut(
        direction=direction, after_bytes=offset, resets=lab.chance.random() < 0.5, times=lab.chance.choice([1, 1, 2])
    )
    proxy.breaks(Trouble(cut=cut))
    _exchange(lab, proxy, count=lab.chance.choice([1, 3, 20]))
    proxy.heals()


def _exchange(lab: Lab, proxy: FaultProxy, count: int) -> None:
    """Be a process that logs *count* events in one batch and sees them arrive."""
    with lab.ledger() as ledger, lab.logger(url=through(lab, proxy)) as audit:
        for number in lab.numbers(count):
            ledger.tell("called", number)
            assert audit.log(event_of(number)).is_accepted
            ledger.tell("logged", number)
        _arrive(audit)
        ledger.tell("stored", *range(number - count + 1, number + 1))


def _arrive(audit: AuditLogger) -> None:
    eventually_sync(lambda: audit.stats().pending == 0, 30)
    assert audit.stats().quarantined == 0, audit.health()


@fault("F57", "a pooler that gives each transaction another session", on=("postgres",), needs=("pgbouncer",))
def pooled(lab: Lab) -> None:
    """Share two sessions of the server with others: no prepared statement is missed, and none is there twice."""
    address = make_url(lab.url)
    pooler = lab.keep(Pooler(lab.postgres, address.database or ""))
    url = address.set(port=pooler.port, query={"prepared_statement_cache_size": "0"})
    shared = url.render_as_string(hide_password=False)
    with (
        Callers(lab, url=shared, timing={**QUICK, "attempt_seconds": 10.0}) as callers,
        Callers(lab, url=shared, timing={**QUICK, "attempt_seconds": 10.0}) as others,
    ):
        callers.store(200)
        lab.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        callers.store(50)
        others.store(50)
