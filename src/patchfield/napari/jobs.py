"""Work that must not run on the GUI thread; the only place that knows threads.

A job is a generator: what it yields is handed to the GUI thread, and between two yields it can be cancelled. The
same jobs run inline in headless tests. Qt's global thread pool is not used on purpose: it has as many places as the
machine has cores, so on a laptop a download and an extraction would leave none for the answer to a brush stroke.
"""

import atexit
import logging
import queue
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, Protocol

logger = logging.getLogger(__name__)

Call = Callable[[], None]
_THREAD_NAME = "patchfield"
_PATIENCE = 60
"""Seconds that a thread has to end when the program does: one tile of the largest backbone on a busy laptop."""


def _ignore(*_: Any) -> None:
    """The callback of those who do not want to know."""


class Job:
    """A generator to be run elsewhere, and what to do with what it yields.

    Parameters
    ----------
    work : callable
        Returns the generator; called by the thread that runs it.
    on_step : callable
        Called on the GUI thread with every value that the generator yields.
    on_error : callable
        Called on the GUI thread with the exception that ended the job.
    delay : float
        Seconds to wait before work begins (in a thread), for what matters only when nothing newer comes.
    """

    def __init__(
        self,
        work: Callable[[], Generator[Any, None, None]],
        on_step: Callable[[Any], None] = _ignore,
        on_error: Callable[[Exception], None] = _ignore,
        delay: float = 0,
    ) -> None:
        self.work, self.delay = work, delay
        self._on_step, self._on_error = on_step, on_error
        self._cancelled = threading.Event()
        self._finished = False
        self._then: Call = _ignore

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop at the next yield; from now on no callback but the end is called."""
        self._cancelled.set()

    def wait(self) -> None:
        """Wait for as long as the job is to be delayed, or until it is cancelled."""
        self._cancelled.wait(self.delay)

    def then(self, call: Call) -> None:
        """Call `call` on the GUI thread when the job has ended, however it ended."""
        self._then = call

    def deliver(self, value: Any) -> None:
        if not self.cancelled:
            self._on_step(value)

    def fail(self, error: Exception) -> None:
        if not self.cancelled:
            self._on_error(error)

    def finish(self) -> None:
        self._then()


class Runner(Protocol):
    """Something that runs jobs."""

    def start(self, job: Job) -> None:
        """Run `job`; its callbacks come on the GUI thread, in order."""

    def later(self, call: Call) -> None:
        """Run `call` on the GUI thread when the event that is being handled is over."""


class InlineRunner:
    """Runs every job to its end at once: for scripts and for tests without an event loop."""

    def start(self, job: Job) -> None:
        _run(job, lambda call: call())

    def later(self, call: Call) -> None:
        call()


class ThreadRunner:
    """Runs every job in a thread of its own.

    Parameters
    ----------
    post : callable
        Hands a call to the GUI thread, in order; it may be called from any thread.
    """

    def __init__(self, post: Callable[[Call], None]) -> None:
        self._post = post

    def start(self, job: Job) -> None:
        _start_thread(partial(_run_delayed, job, self._post), job.cancel)

    def later(self, call: Call) -> None:
        self._post(call)


class Slot:
    """Runs one job at a time; of the jobs that wait, only the latest is kept.

    Parameters
    ----------
    runner : Runner
    on_idle : callable
        Called when a job has ended and none waits.
    """

    def __init__(self, runner: Runner, on_idle: Call = _ignore) -> None:
        self._runner, self._on_idle = runner, on_idle
        self._running: Job | None = None
        self._waiting: Job | None = None

    @property
    def busy(self) -> bool:
        """Whether a job runs that was not cancelled, or one waits."""
        return self._waiting is not None or (self._running is not None and not self._running.cancelled)

    def submit(self, job: Job, *, interrupt: bool = False) -> None:
        """Run `job` as soon as the running one has ended, which `interrupt` cancels."""
        if self._running is None:
            self._start(job)
            return
        self._waiting = job
        if interrupt:
            self._running.cancel()

    def cancel(self) -> None:
        """Cancel the running job and forget the waiting one."""
        self._waiting = None
        if self._running is not None:
            self._running.cancel()

    def _start(self, job: Job) -> None:
        self._running = job
        job.then(self._next)
        self._runner.start(job)

    def _next(self) -> None:
        self._running, waiting, self._waiting = None, self._waiting, None
        if waiting is not None:
            self._start(waiting)
        else:
            self._on_idle()


class Cancelled(Exception):
    """Raised inside a call that :func:`reports` runs when nobody waits for it any more."""


def reports(call: Callable[[Callable[[Any], None]], Any]) -> Generator[tuple[str, Any], None, None]:
    """Turn a call that reports by callback into a generator, so that it can be a job.

    Parameters
    ----------
    call : callable
        Given a callback ``report(value)``; its result is the last thing yielded.

    Yields
    ------
    ("report", value) or ("result", value)

    Notes
    -----
    Closing the generator makes the next ``report`` raise :class:`Cancelled` inside the call, which ends it.
    """
    messages: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    abandoned = threading.Event()

    def report(value: Any) -> None:
        if abandoned.is_set():
            raise Cancelled
        messages.put(("report", value))

    def run() -> None:
        try:
            messages.put(("result", call(report)))
        except Cancelled:
            pass
        except Exception as error:  # noqa: BLE001 it is raised again on the other side
            messages.put(("error", error))

    _start_thread(run, abandoned.set)
    try:
        while True:
            kind, value = messages.get()
            if kind == "error":
                raise value
            yield kind, value
            if kind == "result":
                return
    finally:
        abandoned.set()


def _run_delayed(job: Job, post: Callable[[Call], None]) -> None:
    job.wait()
    _run(job, post)


def _run(job: Job, post: Callable[[Call], None]) -> None:
    _log_warnings_of_jobs()
    for call in _calls(job):
        post(call)


def _calls(job: Job) -> Iterator[Call]:
    """What the GUI thread has to be told of a job, as it comes."""
    steps = job.work()
    while not job.cancelled:
        try:
            value = next(steps)
        except StopIteration:
            break
        except Exception as error:  # noqa: BLE001 whoever started the job tells the user
            yield partial(job.fail, error)
            break
        yield partial(job.deliver, value)
    steps.close()
    yield job.finish


_stoppers: dict[threading.Thread, Call] = {}


def _start_thread(target: Call, stop: Call) -> None:
    def run() -> None:
        try:
            target()
        finally:
            del _stoppers[threading.current_thread()]

    thread = threading.Thread(target=run, name=_THREAD_NAME, daemon=True)
    _stoppers[thread] = stop
    thread.start()


@atexit.register
def _stop_threads() -> None:
    """End all threads before the interpreter goes: PyTorch aborts the process when it is killed at work."""
    threads = dict(_stoppers)
    for stop in threads.values():
        stop()
    for thread in threads:
        thread.join(_PATIENCE)


def _log_warnings_of_jobs() -> None:
    """Send what libraries warn of inside a job to the log.

    napari turns warnings into notifications, from whichever thread they come; that once froze it (napari#2598), and
    a deprecation inside a library is nothing that a microscopist can act on.
    """
    shown = warnings.showwarning
    if getattr(shown, "logs_jobs", False):
        return

    def show(message: Any, category: Any, filename: Any, lineno: Any, file: Any = None, line: Any = None) -> None:
        if threading.current_thread().name == _THREAD_NAME:
            logger.warning("%s (%s, %s:%s)", message, category.__name__, filename, lineno)
        else:
            shown(message, category, filename, lineno, file, line)

    show.logs_jobs = True  # type: ignore[attr-defined]
    warnings.showwarning = show
