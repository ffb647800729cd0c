"""Who runs the writer: a thread of its own, or a task of the application's loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Protocol

from audit_async.config import CLOSE_HARD_SECONDS
from audit_async.diagnostics import describe, report
from audit_async.event_loop import new_event_loop
from audit_async.writer import Writer


class Host(Protocol):
    """Runs a writer from the first entry on."""

    @property
    def writer(self) -> Writer | None:
        """The writer, once it has been made."""

    @property
    def runs_here(self) -> bool:
        """Whether the writer's loop is this thread's: while this thread stands still nothing is written."""
        ...

    @property
    def fault(self) -> str | None:
        """Why nobody runs the writer, or None."""

    def wake(self) -> None:
        """See that the writer runs, and look for work."""

    def nudge(self) -> None:
        """Let the writer try again now, if it is waiting out a fault."""

    def stop_sync(self, timeout_seconds: float) -> None:
        """Let the writer bring in what is pending, for *timeout_seconds* at most, then end it."""

    async def stop(self, timeout_seconds: float) -> None:
        """Do as `stop_sync`, without blocking the loop."""

    def abandon(self) -> None:
        """Let go of the writer in a forked child."""


class ThreadHost:
    """A private daemon thread with an event loop of its own. Started by the first entry, in an empty context."""

    def __init__(self, make_writer: Callable[[], Writer]) -> None:
        self.writer: Writer | None = None
        self.fault: str | None = None
        self._make_writer = make_writer
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = threading.Event()
        self._is_stopped = False
        self._is_out_of_time = False
        self._is_done = False

    @property
    def is_down(self) -> bool:
        """Whether there is no thread, because there was no need for one yet, or something has ended it."""
        return self._thread is None

    @property
    def runs_here(self) -> bool:
        """See `Host`."""
        return threading.current_thread() is self._thread

    def wake(self) -> None:
        """See `Host`. May be called from a signal handler."""
        if self._thread is None:
            self._start()
        elif self.writer is not None:
            self.writer.wake()

    def nudge(self) -> None:
        """See `Host`."""
        self.wake()
        if self.writer is not None:
            self.writer.nudge()

    def _start(self) -> None:
        if self._is_stopped or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                thread = threading.Thread(
                    target=contextvars.Context().run, args=(self._main,), name="audit-writer", daemon=True
                )
                # Before it starts: it takes itself away again when it cannot run.
                self._thread = thread
                thread.start()
        except RuntimeError as error:
            # Too many threads, or the interpreter is shutting down: the next wake tries again.
            self.fault = describe(error)
            self._thread = None
        finally:
            self._starting.release()

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                self._loop = runner.get_loop()
                runner.run(self._run())
        except BaseException as error:
            self._meet_end(error)
        finally:
            if self._is_stopped or self._is_done:
                self._ended.set()
            else:
                # No descriptor was left for its loop, or somebody raised an exception in it. The next wake starts
                # another one.
                if self.writer is not None:
                    self.writer.abandon()
                self._thread = None
                if self._is_stopped:
                    # In this very moment: who asked for it still waits for the thread.
                    self._ended.set()

    def _meet_end(self, error: BaseException) -> None:
        if not self._is_stopped:
            self.fault = describe(error)
            report("writer_thread", f"the writer's thread has ended ({self.fault}); another one goes on", level="ERROR")

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        if self._is_out_of_time:
            # It was said before there was a task to cancel.
            return
        self.writer = self._make_writer()
        self.fault = None
        if self._is_stopped:
            self.writer.stop()
        try:
            await self.writer.run()
            self._is_done = True
        except asyncio.CancelledError:
            # Only `stop` cancels, when the time it was given is up.
            return

    def stop_sync(self, timeout_seconds: float) -> None:
        """See `Host`."""
        self._is_stopped = True
        if self._thread is None:
            # One that another thread is just about to start has nobody who waits for it.
            self._is_out_of_time = True
            return
        if self.writer is not None:
            self.writer.stop()
        if self.runs_here:
            # In a log sink, or a `__del__`: its loop cannot go on while this thread stands still.
            self._cancel()
            return
        if not self._ended.wait(min(timeout_seconds, threading.TIMEOUT_MAX)):
            self._cancel()
            self._ended.wait(CLOSE_HARD_SECONDS)

    async def stop(self, timeout_seconds: float) -> None:
        """See `Host`."""
        import anyio.to_thread

        with anyio.CancelScope(shield=True):
            # A limiter of its own: the application's threads may all be busy.
            await anyio.to_thread.run_sync(self.stop_sync, timeout_seconds, limiter=anyio.CapacityLimiter(1))

    def _cancel(self) -> None:
        # Before the look: the thread does the two the other way round.
        self._is_out_of_time = True
        loop, task = self._loop, self._task
        if loop is None or task is None:
            return
        try:
            loop.call_soon_threadsafe(task.cancel)
        except RuntimeError:
            # It has ended in this very moment.
            return

    def abandon(self) -> None:
        """See `Host`. The thread does not exist in the child, and its loop is never touched: its selector is the
        parent's as well."""
        self._is_stopped = True
        if self.writer is not None:
            self.writer.abandon()


class TaskHost:
    """A task of the asyncio loop that entered `async with`. Until then entries wait in the journal.

    Args:
        on_cut_off: called when the application has cancelled the task, or closed its loop, while the logger is open.
    """

    def __init__(self, make_writer: Callable[[], Writer], *, on_cut_off: Callable[[], None]) -> None:
        self.writer: Writer | None = None
        self.fault: str | None = None
        self._make_writer = make_writer
        self._on_cut_off = on_cut_off
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    def enter(self) -> None:
        """Start the task in the running loop, unless one is at work already."""
        if self._task is not None and not self._task.done() and not self._task.get_loop().is_closed():
            return
        if self.writer is not None:
            self.writer.abandon()
        self.writer = self._make_writer()
        self._task = asyncio.get_running_loop().create_task(
            self.writer.run(), name="audit-writer", context=contextvars.Context()
        )
        self._task.add_done_callback(self._look_after)

    @property
    def runs_here(self) -> bool:
        """See `Host`."""
        try:
            return self._task is not None and self._task.get_loop() is asyncio.get_running_loop()
        except RuntimeError:
            return False

    def wake(self) -> None:
        """See `Host`."""
        if self.writer is not None and self._task is not None:
            self.writer.wake()
            if self._task.get_loop().is_closed():
                self._look_after(self._task)

    def nudge(self) -> None:
        """See `Host`."""
        self.wake()
        if self.writer is not None:
            self.writer.nudge()

    def _look_after(self, task: asyncio.Task[None]) -> None:
        """Notice the end of the task: in order, or cut off."""
        if not self._is_stopped and (not task.done() or task.cancelled() or task.exception() is not None):
            self._is_stopped = True
            if self.writer is not None:
                self.writer.abandon()
            self._on_cut_off()

    def stop_sync(self, timeout_seconds: float) -> None:
        """End the task at once: its loop cannot run while this thread waits. What is pending stays in the journal."""
        self._is_stopped = True
        if self.writer is not None and self._task is not None:
            self.writer.stop()
            try:
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)
            except RuntimeError:
                # Its loop is closed, and the task ended with it.
                return

    async def stop(self, timeout_seconds: float) -> None:
        """See `Host`."""
        self._is_stopped = True
        if self.writer is None or self._task is None:
            return
        if self._task.get_loop() is not asyncio.get_running_loop():
            self.stop_sync(timeout_seconds)
            return
        self.writer.stop()
        done, _ = await asyncio.wait({self._task}, timeout=timeout_seconds)
        if not done:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CLOSE_HARD_SECONDS)

    def abandon(self) -> None:
        """See `Host`."""
        self._is_stopped = True
        if self.writer is not None:
            self.writer.abandon()


class NoHost:
    """Nobody: another process uploads (`audit-async drain`)."""

    writer: Writer | None = None
    runs_here = False
    fault: str | None = None

    def wake(self) -> None:
        """See `Host`."""

    def nudge(self) -> None:
        """See `Host`."""

    def stop_sync(self, timeout_seconds: float) -> None:
        """See `Host`."""

    async def stop(self, timeout_seconds: float) -> None:
        """See `Host`."""

    def abandon(self) -> None:
        """See `Host`."""
