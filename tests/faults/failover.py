"""Faults of an address: its name is unknown for a while, or means another host than before."""

from __future__ import annotations

from sqlalchemy import make_url

from tests.faults.callers import QUICK, Callers
from tests.faults.fault import fault
from tests.faults.lab import Lab
from tests.faults.network import through
from tests.polling import eventually_sync
from tests.servers.postgres import PostgresServer, find_binaries
from tests.servers.proxy import FaultProxy, Trouble
from tests.servers.standby import StandbyServer

NAME = "database.test"
OTHER_HOST = "127.0.0.2"
OWN_NAMES = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@"'
"""Has a command look names up in a file of its own, and nowhere else."""


@fault("F55", "fail-over to a standby", on=("postgres",), quick=2)
def standby_promoted(lab: Lab) -> None:
    """Kill the primary and promote its standby, which is waited for: the address leads there, first read-only."""
    binaries = find_binaries()
    assert binaries is not None
    primary = lab.keep(PostgresServer(binaries))
    lab.move_to(primary)
    standby = lab.keep(StandbyServer(primary, binaries))
    standby.is_waited_for()
    proxy = lab.keep(FaultProxy(primary.port))
    with Callers(lab, url=through(lab, proxy)) as callers:
        callers.store(lab.chance.randrange(1, 200))
        primary.stop("immediate")
        lab.url = standby.url(make_url(lab.url).database or "")
        callers.complain("connection|closed|recover")
        proxy.points_to(standby.port)
        callers.complain("read-only")
        standby.promote()


@fault("F55", "a name that resolves later, then means another host", on=("postgres",), needs=("root", "linux"))
def name_moves(lab: Lab) -> None:
    """Begin without an address for the name, give it one, and then another one where the first host is gone."""
    lab.timing = dict(QUICK)
    hosts, switch, errors = (lab.folder / name for name in ("hosts", "nsswitch.conf", "errors"))
    hosts.write_text("127.0.0.1 localhost\n")
    switch.write_text("hosts: files\n")
    server = lab.postgres
    with FaultProxy(server.port) as first, FaultProxy(server.port, host=OTHER_HOST, port=first.port) as second:
        url = make_url(lab.url).set(host=NAME, port=first.port).render_as_string(hide_password=False)
        under = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", OWN_NAMES, "sh", str(hosts), str(switch)]
        with lab.child(100_000, url=url, per_second=200, life={"under": under, "errors": errors}):
            lab.wait_for_promises(50)
            eventually_sync(lambda: f"name of {NAME}" in errors.read_text(), 60)
            hosts.write_text(f"127.0.0.1 {NAME}\n")
            lab.wait_for_rows(len(lab.told().promised))
            assert second.links_made == 0
            first.breaks(Trouble(resets=True, refuses=True))
            hosts.write_text(f"{OTHER_HOST} {NAME}\n")
            lab.wait_for_promises(50)
            lab.wait_for_rows(len(lab.told().promised))
            assert second.links_made > 0
