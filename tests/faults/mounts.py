"""File systems of a test's own: small ones that fill up, and one on which segments cannot be mapped."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MOUNT, _UMOUNT = shutil.which("mount"), shutil.which("umount")


@contextmanager
def mounted(path: Path, kind: str = "tmpfs", options: str = "rw") -> Iterator[Path]:
    """Mount an empty file system of *kind* on *path*, which is made, for as long as the context lasts.

    Raises:
        OSError: that cannot be done here.
    """
    path.mkdir()
    if not _run(_MOUNT, "-t", kind, "-o", options, "tests", str(path)):
        raise PermissionError(f"nothing can be mounted on {path}")
    try:
        yield path
    finally:
        _run(_UMOUNT, "--lazy", str(path))


def remount(path: Path, options: str) -> None:
    """Change what was mounted on *path*."""
    assert _run(_MOUNT, "-o", f"remount,{options}", str(path))


@functools.cache
def can_mount() -> bool:
    """Return whether this process may mount at all."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder) / "disk"):
                return True
        except OSError:
            return False


def _run(program: str | None, *arguments: str) -> bool:
    return (
        program is not None and not subprocess.run([program, *arguments], check=False, capture_output=True).returncode
    )
