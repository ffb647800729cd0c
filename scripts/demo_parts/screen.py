"""What a person sees: progress where there is a terminal, plain lines where there is none."""

from __future__ import annotations

import contextlib
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from scripts.demo_parts.proof import Proof

WIDTH = 100
MAX_ACTIONS = 12
ROW_LINES = 3
"""Of one value of a row: what is longer is no more readable for it."""

LEDGER = ("accepted", "stored", "pending", "quarantined", "dropped")
"""Fields of `Stats`. Beside them the table shows what was adopted, and what a call of `log()` took in the median."""


class Screen:
    """Prints the story."""

    def __init__(self, console: Console | None = None) -> None:
        with contextlib.suppress(AttributeError):
            sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # no ✓ in the locale
        self.out = console or Console(highlight=False)
        if self.out.width > WIDTH or not self.out.is_terminal:
            self.out.width = WIDTH

    def say(self, text: str = "") -> None:
        self.out.print(text, soft_wrap=True)

    def title(self, name: str, text: str) -> None:
        self.say(f"\n[bold reverse] {name} [/] {text}\n")

    def step(self, number: int, text: str) -> None:
        self.say(f"\n[bold cyan]{number}[/]  [bold]{text}[/]")

    def note(self, text: str) -> None:
        self.say(f"   {text}")

    @contextmanager
    def progress(self, totals: dict[str, int]) -> Iterator[Bars]:
        """Show one bar for each of *totals*."""
        columns = (
            TextColumn("   {task.description:<22}"),
            BarColumn(bar_width=36),
            TextColumn("{task.completed:>7,.0f} / {task.total:,.0f}"),
            TextColumn("{task.fields[state]}"),
        )
        with Progress(*columns, console=self.out, disable=not self.out.is_terminal) as progress:
            bars = Bars(progress, totals)
            yield bars
        if not self.out.is_terminal:
            for name, total in totals.items():
                self.say(f"   {name:<22} {bars.done[name]:>7,} / {total:,}  {bars.states[name]}")

    def actions(self, counts: Sequence[tuple[str, str, int]]) -> None:
        """Print the commonest actions by outcome, and how many more there are."""
        by_action: dict[str, dict[str, int]] = {}
        for action, outcome, count in counts:
            by_action.setdefault(action, {})[outcome] = count
        outcomes = sorted({outcome for _, outcome, _ in counts}, key=lambda name: (name != "success", name))
        table = _table("action")
        for outcome in outcomes:
            table.add_column(outcome, justify="right", style="green" if outcome == "success" else "yellow")
        ranked = sorted(by_action.items(), key=lambda item: -sum(item[1].values()))
        for action, found in ranked[:MAX_ACTIONS]:
            table.add_row(action, *(f"{found[name]:,}" if name in found else "" for name in outcomes))
        if rest := [found for _, found in ranked[MAX_ACTIONS:]]:
            sums = (sum(found.get(name, 0) for found in rest) for name in outcomes)
            table.add_row(f"[dim]{len(rest)} more actions[/]", *(f"[dim]{total:,}[/]" for total in sums))
        self._print_indented(table)

    def ledger(self, rows: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Print the name and the numbers of each process."""
        table = _table("process")
        for name in (*LEDGER, "adopted", "log()"):
            table.add_column(name, justify="right", no_wrap=True)
        for name, numbers in rows:
            adopted, microseconds = numbers.get("adopted_stored"), numbers.get("log_microseconds")
            table.add_row(
                name,
                *(f"{numbers[column]:,}" for column in LEDGER),
                f"[green]{adopted:,}[/]" if adopted else "",
                f"{microseconds:.0f} µs" if microseconds else "",
                style="red" if numbers["pending"] or numbers["quarantined"] or numbers["dropped"] else None,
            )
        self._print_indented(table)

    def proof(self, name: str, proof: Proof) -> None:
        mark = "[bold green]✓[/]" if proof.holds else "[bold red]✗[/]"
        counts = f"[bold]{proof.planned:,}[/] events, [bold]{proof.rows:,}[/] rows"
        lost = f"{proof.missing:,} missing, {proof.unlogged:,} not logged"
        added = f"{proof.doubled:,} twice, {proof.foreign:,} foreign"
        self.note(f"{mark} {name}: {counts}; {lost}, {added}")

    def row(self, title: str, row: Mapping[str, Any]) -> None:
        """Print what is set of a row of somebody's table, a column a line."""
        filled = {name: value for name, value in row.items() if value not in (None, "", "{}", "[]", {}, [])}
        self.say(f"\n   [bold]{title}[/] [dim]{len(filled)} of {len(row)} columns filled[/]")
        for name, value in filled.items():
            lines = textwrap.wrap(_text(value), WIDTH - 24, max_lines=ROW_LINES, placeholder=" ...") or [""]
            for number, line in enumerate(lines):
                self.out.print(f"   {name if number == 0 else '':<16} {line}", markup=False, no_wrap=True, crop=False)

    def counts(self, title: str, rows: Mapping[str, int], *, given: int, folded: int, cut: int) -> None:
        """Print how many rows a place has for the events that it was given, and what of them had no column."""
        mark = "[bold green]✓[/]" if sum(rows.values()) == given else "[bold red]✗[/]"
        stored = ", ".join(f"{count:,}" for count in rows.values())
        self.note(f"{mark} {title:<38} {given:>5,} events, {stored:>9} rows, {folded:>6,} folded, {cut:>3,} cut")

    def _print_indented(self, table: Table) -> None:
        self.out.print(Padding(table, (0, 0, 0, 3), expand=False))


def _text(value: Any) -> str:
    """Return *value* as a person would want to see it in a line."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else " ".join(str(value).split())


class Bars:
    """One bar a way, and what is remarkable about it."""

    def __init__(self, progress: Progress, totals: dict[str, int]) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            name: progress.add_task(name, total=total, state="") for name, total in totals.items()
        }
        self.done = dict.fromkeys(totals, 0)
        self.states = dict.fromkeys(totals, "")

    def show(self, name: str, done: int, state: str | None = None) -> None:
        self.done[name] = done
        if state is not None:
            self.states[name] = state
        self._progress.update(self._tasks[name], completed=done, state=self.states[name])


def _table(first_column: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column(first_column, no_wrap=True)
    return table


def complain(message: str, hint: str) -> None:
    """Say on standard error what is wrong, and what to do."""
    with contextlib.suppress(AttributeError):
        sys.stderr.reconfigure(errors="replace")  # type: ignore[union-attr]
    err = Console(stderr=True, highlight=False)
    err.print(f"[red]✗[/] {message}", soft_wrap=True)
    err.print(f"  [dim]HINT:[/] {hint}", soft_wrap=True)
