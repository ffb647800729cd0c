"""All 78 nasty inputs: those that are values, as cases, and where the others are tested.

Source: part C of the project's reliability notes.
"""

from __future__ import annotations

from tests.nasty import cases_containers, cases_envelope, cases_numbers, cases_text

CASES = [*cases_text.CASES, *cases_numbers.CASES, *cases_containers.CASES, *cases_envelope.CASES]

ELSEWHERE = {
    34: "test_volume.py: another content under an id that is there; the first one wins",
    42: "test_time.py: a container that another thread changes while it is read",
    57: "test_volume.py: a hundred unknown keywords are a TypeError that names the right ones",
    58: "tests/redact/: names of secrets in every spelling",
    59: "tests/redact/: secrets in every place",
    60: "tests/redact/: secrets known by their form",
    61: "tests/redact/: tokens and assertions of an SSO",
    62: "tests/redact/: what only looks like a secret",
    63: "tests/redact/: a redactor that breaks",
    66: "test_volume.py: thousands of identical events",
    67: "test_volume.py: one event logged twice is stored once",
    68: "test_places.py: from __del__, a signal handler, atexit, sys.excepthook, a weakref callback",
    69: "test_places.py: at import, and while the import lock is held",
    70: "tests/redact/: a redactor that logs",
    71: "test_volume.py: batches of every shape",
    75: "test_volume.py: an entry of a later version; what a viewer shows of it is not built yet",
    76: "test_places.py: locales, closed stdout and stderr",
    77: "test_places.py: -O, -OO, no HOME, no /tmp, no writable __pycache__, a user without a name",
    78: "test_places.py: names of services",
}
"""Inputs that are no values, or not ours: the file that tests them, beside this one unless a folder is named.

Of 72 to 74 the text is stored here to the letter; searching and showing it is tested where that is built.
"""
