"""A queue of messages in a folder, as kombu's, in which a message has its name when all of it is there.

In kombu's own it has its name before it is written: whoever looks in that moment takes an empty file for the message,
which is lost.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem

BROKER = "folder://"


class _Channel(filesystem.Channel):
    def _put(self, queue: Any, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # kombu has two names for it
        name = f"{time.monotonic_ns() // 1_000_000}_{uuid.uuid4()}.{queue}.msg"
        draft = Path(self.control_folder) / f"{name}.new"
        draft.write_text(json.dumps(payload))
        os.rename(draft, Path(self.data_folder_out) / name)


class Transport(filesystem.Transport):
    """Makes such channels."""

    Channel = _Channel


TRANSPORT_ALIASES["folder"] = f"{__name__}:Transport"
