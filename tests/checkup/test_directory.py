"""The directory of a journal is looked at, and left as it is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from audit_async.checkup.directory import of_directory


@pytest.mark.parametrize(
    ("kind", "level", "words"),
    [
        ("file", "error", "Not a directory"),
        ("link", "error", "symbolic link"),
        ("open", "error", "every user may write"),
        ("seen", "warning", "others can see"),
        ("small", "warning", "the disk is full before that"),
    ],
)
def test_a_directory_that_is_not_fit_is_told(kind: str, level: str, words: str, tmp_path: Path) -> None:
    """What the journal would refuse, and what lets others in, is told with what to do; nothing is mended."""
    directory, max_bytes = tmp_path / "journal", None
    match kind:
        case "file":
            directory.write_text("in the way")
        case "link":
            directory.symlink_to(tmp_path)
        case "open" | "seen":
            directory.mkdir()
            directory.chmod(0o777 if kind == "open" else 0o755)
        case "small":
            directory.mkdir(mode=0o700)
            max_bytes = 2**60
    found = [finding for finding in of_directory(directory, max_bytes) if finding.level in ("warning", "error")]
    assert [(level, True)] == [(one.level, words in one.message) for one in found]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_is_told_what_he_may_not() -> None:
    """Another user than the service's learns whose the directory is; where he may make none, that events would wait in
    memory."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        (Path(home) / "journal").mkdir(mode=0o700)
        os.seteuid(65534)
        try:
            found = [*of_directory(Path(home) / "journal", None), *of_directory(Path(home) / "none", None)]
        finally:
            os.seteuid(0)
    assert ["error", "error"] == [finding.level for finding in found]
    assert "run this as root" in str(found[0].hint)
    assert "events wait in memory only" in found[1].message


def test_the_directory_is_probed_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring the disk leaves no file, also where there are no files without a name."""
    tmp_path.chmod(0o700)
    with monkeypatch.context() as patched:
        patched.delattr(os, "O_TMPFILE")
        named = list(of_directory(tmp_path, None))
    unnamed = list(of_directory(tmp_path, None))
    for found in (named, unnamed):
        assert any("one fdatasync takes" in finding.message for finding in found)
    assert [] == list(tmp_path.iterdir())
