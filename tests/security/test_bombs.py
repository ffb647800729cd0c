"""What is read from a disk or a queue may be made by hand: nothing in it stops the log, and nothing of it is run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import audit_async
from audit_async import AuditLogger, TableMap, audit_context, context, events
from audit_async.errors import ConfigurationError
from audit_async.journal.confirm import Mark, read_mark
from audit_async.journal.file_set import FileSet
from audit_async.journal.frame import encode_frame
from audit_async.store.quarantine import Quarantine
from tests.journal.journals import adopt_all, die, fill, open_journal
from tests.polling import eventually
from tests.store.conftest import Place, empty, place  # noqa: F401 -- fixtures

DEPTH = 50_000
SOUND = (
    b'{"id":"01890000-0000-7000-8000-%012d","created_at":"2026-01-01T00:00:00Z","action":"a","category":"system",'
    b'"severity":"info","outcome":"success"'
)
NUMBER = b"9" * 100_000
VALUES = {
    "deep": b"[" * DEPTH + b"]" * DEPTH,
    "deep objects": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "less deep": b'{"a":' * 900 + b"1" + b"}" * 900,
    "open": b"[" * (500 * 1024),
    "long number": NUMBER,
    "large number": b"1e999999",
    "no number": b"NaN",
    "surrogate": b'"\\ud800"',
    "raw surrogate": b'"\xed\xa0\x80"',
    "no UTF-8": b'"\xff"',
    "NUL": b'"\\u0000"',
    "raw NUL": b'"\0"',
    "long": b'"' + b"x" * (500 * 1024) + b'"',
    "text": b'"x"',
    "list": b'[1,"a",null]',
    "null": b"null",
    "object": b'{"a":{"b":[1]},"a":2}',
    "true": b"true",
}
FIELDS = ("id", "created_at", "action", "severity", "user_id", "status_code", "duration_ms", "details", "tags", "foo")
BARE = (b"\0", b"{", b"null", b"3", b'"a"', b"[]", b"{}", b'{"id":null}', b"\xff\xfe", b"{} {}", b"[" * (512 * 1024))


def payloads() -> list[bytes]:
    """Return every kind of payload that no logger writes; where a key comes twice the last one counts."""
    made = [*BARE, *VALUES.values()]
    for field in FIELDS:
        for value in VALUES.values():
            made.append(SOUND % len(made) + b',"%s":%s}' % (field.encode(), value))
    return made


@pytest.mark.parametrize("empty", ["asyncpg", "sqlite", "mariadb"], indirect=True)
async def test_a_payload_made_by_hand_stops_nobody(place: Place, tmp_path: Path) -> None:  # noqa: F811
    """Among entries that no logger wrote every good one is stored, and each other one is stored or in quarantine."""
    async with AuditLogger(place.url, journal_dir=tmp_path / "journal") as audit:
        audit.log(events.custom("good"))
        journal = audit._process.journal
        assert journal is not None
        for number, payload in enumerate(payloads()):
            journal.append(payload)
            if number % 10 == 0:
                audit.log(events.custom("good"))
        audit.log(events.custom("good"))
        await eventually(lambda: audit.stats().pending == 0, 50)
        stats = audit.stats()
        assert (stats.accepted, 0) == (stats.stored + stats.quarantined, stats.dropped)
        assert stats.quarantined == len(audit._process.quarantine.items())
    good = 2 + len(range(0, len(payloads()), 10))
    assert [(good,)] == await place.rows("SELECT count(*) FROM audit_logs WHERE action = 'good'")
    assert stats.quarantined < len(payloads())


@pytest.mark.parametrize(
    "content",
    [
        *(b"{" * 1900, b'{"x":' + b"[" * 1900, b'{"seq":"\xff"}', b'{"seq":"1"}', b'{"seq":1e30}', b"[]", b"\0" * 100),
        *(
            b'{"seq":' + b"9" * 1900 + b"}",
            b'{"seq":-3,"stored":-3}',
            b'{"seq":9}',
            b'{"seq":1,"stored":2,"dropped":{"a":-1}}',
        ),
    ],
    ids=lambda content: ascii(content[:10]),
)
def test_a_mark_made_by_hand_is_none(content: bytes, tmp_path: Path) -> None:
    """A confirm file with a whole frame of nonsense says nothing, and every entry is read."""
    journal = open_journal(tmp_path)
    fill(journal, 3)
    writer = journal.writer_id
    die(journal)
    files = FileSet(tmp_path, "test", writer)
    files.confirm_path.write_bytes(encode_frame(5, content, files.salt))
    assert Mark() == read_mark(files.confirm_path, files.salt)
    (orphan,) = adopt_all(tmp_path)
    batch = orphan.read(10, 10_000)
    orphan.abandon()
    assert batch is not None
    assert [1, 2, 3] == [record.seq for record in batch.records]


def test_a_quarantined_file_made_by_hand_is_passed_over(tmp_path: Path) -> None:
    """Files in quarantine that hold something else are passed over, and the sound ones are found."""
    quarantine = Quarantine(tmp_path, "d")
    assert quarantine.add("0" * 32, 1, b"{}", "reason", None)
    for number, content in enumerate([*BARE, *VALUES.values(), b'{"event":' + VALUES["deep objects"] + b"}"]):
        (quarantine.directory / f"d-x-{number}.json").write_bytes(content)
    assert [1] == [item.writer_seq for item in quarantine.items()]


@pytest.mark.parametrize("name", VALUES)
def test_a_context_made_by_hand_is_none(name: str) -> None:
    """A context from a queue that was not made by `dump` acts for nobody, and raises nothing."""
    for payload in (
        VALUES[name],
        b'{"v":1,"context":%s}' % VALUES[name],
        b'{"v":%s,"context":{"user_id":"u"}}' % VALUES[name],
        b'{"v":1,"context":{"user_id":%s}}' % VALUES[name],
    ):
        with context.load(payload), audit_context(request_id="r"):
            found = context.fill(events.custom("a")).user_id
        assert found in (None, "x", "\u2400")


@pytest.mark.parametrize("name", ["deep", "long number", "no UTF-8", "raw NUL", "open"])
def test_a_map_made_by_hand_is_a_mistake(name: str, tmp_path: Path) -> None:
    """A map whose TOML nobody can mean is an error that names the file."""
    file = tmp_path / "map.toml"
    file.write_bytes(b"table = " + VALUES[name])
    with pytest.raises(ConfigurationError, match=r"map\.toml"):
        TableMap.load(file)


# --- nothing of it is run ------------------------------------------------------------------------------

_RUNNING = {"eval", "exec", "compile", "__import__"}
_RUNNING_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "subprocess", "jsonpickle", "code"}


@pytest.mark.parametrize(
    "path", sorted(Path(audit_async.__file__).parent.rglob("*.py")), ids=lambda path: "/".join(path.parts[-2:])
)
def test_nothing_that_is_read_can_be_run(path: Path) -> None:
    """The package neither runs text as code nor reads a format that can."""
    tree = ast.parse(path.read_text())
    names = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    attributes = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    assert (set(), set()) == (names & _RUNNING, imported & _RUNNING_MODULES)
    assert set() == attributes & {"os.system", "os.popen", "builtins.eval", "builtins.exec"}
