"""Secrets are taken out of an event in the caller's thread, before anything of it reaches a disk.

    from audit_async import AuditLogger, Redaction

    AuditLogger(url, redact=Redaction(keys={"iban"}, pseudonymise={"email"}, mask_ip=True))

An event is looked at twice at most. The quick look judges its keys and searches its texts for clues; most events end
there, unchanged. One that has a clue, and every one where the application has rules on values, is swept: each value
by its key, each text by what it looks like, and the texts of the event once more for what was taken out of its
objects. All of this comes before the event is encoded and cut to its limit, so that no cut can hide a secret.

When in doubt something goes: a key that was cut off counts as a secret's, a rule that fails removes its value, and a
fault of our own drops all that the event said. Nothing is raised to the caller.

    keys          which keys are a secret's
    masks         what stands for what is gone: marks, keyed hashes, networks of addresses
    patterns      tokens, key blocks, passwords in addresses
    assignments   `password=x` in a text, `--password x` on a command line
    digits        payment cards, one-time codes
    rules         what an application adds: `Redaction`
    texts         everything that is looked for in one text, and whether it has a clue
    verdicts      what all of them say of a key
    echoes        what was taken out, told once more elsewhere
    look          the quick look
    sweep         the close look
    redactor      which of them an event needs
"""

from __future__ import annotations

from audit_async.redact.masks import REDACTED
from audit_async.redact.redactor import RecursiveRuleError, Redactor
from audit_async.redact.rules import Redaction, read_redaction

__all__ = ["REDACTED", "RecursiveRuleError", "Redaction", "Redactor", "read_redaction", "redact"]

redact = Redactor().redact
"""By the built-in rules only."""
