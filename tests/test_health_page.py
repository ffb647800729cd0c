"""docs/health.md is true: its commands run, and what it names is what there is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from audit_async import AuditLogger, create_table, events
from audit_async.status import Seen, Status, look_around
from tests.polling import eventually
from tests.test_cli import audit_async

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "health.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}
COMMANDS = re.findall(r"```sh\n(.*?)\n```", PAGE)
SHOWN = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


def first_cells(section: str) -> set[str]:
    """Return what stands in the first column of the tables of *section*."""
    return set(re.findall(r"^\| `([^`]+)` \|", SECTIONS[section], re.MULTILINE))


async def test_its_commands_say_what_it_shows(postgres_url: str, tmp_path: Path) -> None:
    """`doctor` and `stats` run as they stand there, and their lines have the form, and the words, of those shown."""
    await create_table(postgres_url)
    said = []
    async with AuditLogger(postgres_url, journal_dir=tmp_path / "journal", service="web") as audit:
        await audit.write(events.custom("report.print"))
        await eventually(lambda: any(seen.status for seen in look_around(tmp_path / "journal")))
        for command in COMMANDS:
            done = await asyncio.to_thread(
                audit_async,
                *command.split()[1:],
                AUDIT_DATABASE_URL=postgres_url,
                AUDIT_JOURNAL_DIR=str(tmp_path / "journal"),
            )
            assert "" == done.stderr
            said.append(done.stdout)
    shown_findings, shown_table = (text.splitlines() for text in SHOWN)
    findings, table = (text.splitlines() for text in said)
    words = {line.split()[1] for line in findings if line[:1].islower()}
    assert {line.split()[1] for line in shown_findings if line[:1].islower()} - words <= {"process"}
    assert shown_table[1].split() == table[1].split()
    assert ["web", "living", "ok"] == [table[2].split()[place] for place in (0, 2, 3)]


def test_every_word_of_doctor_is_explained() -> None:
    """The table of words has each that a finding can be about, and no other."""
    sources = [path.read_text() for path in (ROOT / "audit_async" / "checkup").glob("*.py")]
    made = re.compile(r'Finding\(\s*(?:"\w+"(?: if \w+ else "\w+")?|level),\s*"(\w+)"')
    assert first_cells("doctor") == {word for source in sources for word in made.findall(source)}


def test_every_reason_is_explained() -> None:
    """Each reason that stands in the code has a line, and each line a reason."""
    sources = [(ROOT / "audit_async" / name).read_text() for name in ("health.py", "store/partitions.py")]
    named = [words for words in first_cells("health") if not any(words in source for source in sources)]
    assert [] == named
    count = len(re.findall(r"\byield(?! from)\b", sources[0]))
    assert len(first_cells("health")) == count


def test_every_state_and_field_of_stats_is_explained() -> None:
    """The states, and the fields of the file, are those there are."""
    states = re.findall(r"`(\w+)`", str(Seen.__doc__).partition("status:")[0])
    assert first_cells("stats") == set(states)
    fields = SECTIONS["stats"].split("In the file:")[1]
    assert [] == [field.name for field in msgspec.structs.fields(Status) if f"`{field.name}`" not in fields]


@pytest.mark.parametrize("text", SHOWN)
def test_what_is_shown_holds_no_secret(text: str) -> None:
    """No address with a password is shown as an example."""
    assert not re.search(r"://[^/ ]*:[^/ ]*@", text)
