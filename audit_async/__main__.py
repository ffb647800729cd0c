"""`python -m audit_async`, and the command `audit-async`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the terminal tool; say what to install where its packages are missing."""
    try:
        from audit_async.cli.run import run
    except ModuleNotFoundError as missing:
        if missing.name not in ("cyclopts", "rich"):
            raise
        print(f"audit-async needs the package {missing.name}\nHINT: pip install 'audit-async[cli]'", file=sys.stderr)
        sys.exit(2)
    sys.exit(run())


if __name__ == "__main__":
    main()
