"""Certificates of our own, made by the `openssl` program."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_CONFIGURATION = """
[ca]
default_ca = here
[here]
dir = {directory}
database = $dir/index.txt
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_PERIODS = {
    False: ("20200101000000Z", "20991231000000Z"),
    True: ("20200101000000Z", "20200102000000Z"),
}


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate and its key."""

    file: Path
    key: Path


class Authority:
    """Who says that a certificate is a server's, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        (directory / "index.txt").touch()
        (directory / "ca.cnf").write_text(_CONFIGURATION.format(directory=directory))
        self.file, self.key = directory / "ca.pem", directory / "ca.key"
        _openssl(
            *("req", "-x509", *_KEY, "-keyout", self.key, "-out", self.file, "-subj", "/CN=Test authority"),
            *("-days", "30", "-addext", "keyUsage=critical,keyCertSign"),
        )

    @classmethod
    def at(cls, file: Path) -> Authority:
        """Return one of which only *file* is known."""
        authority = cls.__new__(cls)
        authority.file = file
        return authority

    def issue(self, name: str, *hosts: str, is_expired: bool = False) -> Certificate:
        """Return a certificate for *hosts*, each as `DNS:name` or `IP:address`."""
        request = self.directory / f"{name}.csr"
        made = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        _openssl(
            *("req", "-new", *_KEY, "-keyout", made.key, "-out", request, "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName={','.join(hosts)}"),
        )
        start, end = _PERIODS[is_expired]
        _openssl(
            *("ca", "-batch", "-notext", "-config", self.directory / "ca.cnf", "-cert", self.file),
            *("-keyfile", self.key, "-startdate", start, "-enddate", end, "-in", request, "-out", made.file),
        )
        return made


def _openssl(*arguments: object) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl program here to make certificates with")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
