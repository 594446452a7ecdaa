"""Work that must not run on the GUI thread; the only place that knows threads.

A job is a generator: what it yields is handed to the GUI thread, and between two yields it can be cancelled. The
same jobs run inline in headless tests. Qt's global thread pool is not used on purpose: it has as many threads as the
machine has cores, so on a laptop a download and an extraction would leave none for the answer to a brush stroke.
"""

import atexit
import logging
import queue
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")
Call = Callable[[], None]
_THREAD_NAME = "patchfield"
_PATIENCE = 60
"""Seconds that a thread has to end when the program does: one tile of the largest backbone on a busy laptop."""


def _ignore(*_: Any) -> None:
    """The callback where nobody listens."""


class Job(Generic[T]):
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

    Examples
    --------
    >>> steps = []
    >>> InlineRunner().start(Job(lambda: iter("ab"), steps.append))
    >>> steps
    ['a', 'b']
    """

    def __init__(
        self,
        work: Callable[[], Iterator[T]],
        on_step: Callable[[T], None] = _ignore,
        on_error: Callable[[Exception], None] = _ignore,
        delay: float = 0,
    ) -> None:
        self.work = work
        self.delay = delay
        self._on_step = on_step
        self._on_error = on_error
        self._cancelled = threading.Event()
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

    def deliver(self, value: T) -> None:
        """Hand over a value, on the GUI thread."""
        if not self.cancelled:
            self._on_step(value)

    def fail(self, error: Exception) -> None:
        """Hand over the exception that ended the job, on the GUI thread."""
        if not self.cancelled:
            self._on_error(error)

    def finish(self) -> None:
        """Say that the job has ended, on the GUI thread."""
        self._then()


class Runner(Protocol):
    """Something that runs jobs."""

    def start(self, job: Job[Any]) -> None:
        """Run `job`; its callbacks come on the GUI thread, in order."""

    def later(self, call: Call) -> None:
        """Run `call` on the GUI thread when the event that is being handled is over."""

    def close(self) -> None:
        """Cancel all jobs; nothing is run any more."""


class InlineRunner:
    """Runs every job to its end at once: for scripts and for tests without an event loop."""

    def start(self, job: Job[Any]) -> None:
        for call in _calls(job):
            call()

    def later(self, call: Call) -> None:
        call()

    def close(self) -> None:
        """Nothing runs between two calls."""


class ThreadRunner:
    """Runs every job in a thread of its own, until it is closed.

    Parameters
    ----------
    post : callable
        Hands a call to the GUI thread, in order; it may be called from any thread.
    """

    def __init__(self, post: Callable[[Call], None]) -> None:
        self._post = post
        self._jobs: dict[threading.Thread, Job[Any]] = {}
        self._closed = False
        self._warnings = _WarningsOfJobs()
        atexit.register(self._end)

    def start(self, job: Job[Any]) -> None:
        if self._closed:
            return
        thread = threading.Thread(target=self._run, args=(job,), name=_THREAD_NAME, daemon=True)
        self._jobs[thread] = job
        thread.start()

    def later(self, call: Call) -> None:
        self._post(call)

    def close(self) -> None:
        """Cancel all jobs, without waiting for their threads: each ends at its next yield."""
        if self._closed:
            return
        self._closed = True
        self._warnings.close()
        for job in list(self._jobs.values()):
            job.cancel()
        self._let_go()

    def _run(self, job: Job[Any]) -> None:
        job.wait()
        try:
            for call in _calls(job):
                self._post(call)
        finally:
            del self._jobs[threading.current_thread()]
            self._let_go()

    def _let_go(self) -> None:
        """Once it is closed and the last thread has ended, nothing is left to be done at the end of the program."""
        if self._closed and not self._jobs:
            atexit.unregister(self._end)

    def _end(self) -> None:
        """End all threads before the interpreter goes: PyTorch aborts the process when it is killed at work."""
        self.close()
        for thread in list(self._jobs):
            thread.join(_PATIENCE)


class Slot:
    """Runs one job at a time; of the jobs that wait, only the latest is kept.

    Parameters
    ----------
    runner : Runner
    on_idle : callable
        Called when a job has ended and none waits.
    """

    def __init__(self, runner: Runner, on_idle: Call = _ignore) -> None:
        self._runner = runner
        self._on_idle = on_idle
        self._running: Job[Any] | None = None
        self._waiting: Job[Any] | None = None

    @property
    def busy(self) -> bool:
        """Whether a job runs that was not cancelled, or one waits."""
        return self._waiting is not None or (self._running is not None and not self._running.cancelled)

    def submit(self, job: Job[Any], *, interrupt: bool = False) -> None:
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

    def _start(self, job: Job[Any]) -> None:
        self._running = job
        job.then(self._next)
        self._runner.start(job)

    def _next(self) -> None:
        waiting = self._waiting
        self._running = self._waiting = None
        if waiting is not None:
            self._start(waiting)
        else:
            self._on_idle()


class Cancelled(BaseException):
    """Raised inside a call that :func:`reports` runs when nobody waits for it any more.

    No exception, so that a batch that outlives the failure of a file does not outlive this.
    """


@dataclass(frozen=True)
class Reported(Generic[T]):
    """What a call reported on its way."""

    value: T


@dataclass(frozen=True)
class Returned(Generic[R]):
    """What a call returned."""

    value: R


@dataclass(frozen=True)
class _Raised:
    error: Exception


def reports(call: Callable[[Callable[[T], None]], R]) -> Generator[Reported[T] | Returned[R], None, None]:
    """Turn a call that reports by callback into a generator, so that it can be (part of) a job.

    Parameters
    ----------
    call : callable
        Given a callback ``report(value)``; its result is the last thing yielded.

    Yields
    ------
    Reported or Returned

    Notes
    -----
    Closing the generator makes the next ``report`` raise :class:`Cancelled` inside the call, and waits for its end.

    Examples
    --------
    >>> def download(report):
    ...     report(50)
    ...     return "weights"
    >>> [message.value for message in reports(download)]
    [50, 'weights']
    """
    messages: queue.SimpleQueue[Reported[T] | Returned[R] | _Raised] = queue.SimpleQueue()
    abandoned = threading.Event()

    def report(value: T) -> None:
        if abandoned.is_set():
            raise Cancelled
        messages.put(Reported(value))

    def run() -> None:
        try:
            messages.put(Returned(call(report)))
        except Cancelled:
            pass
        except Exception as error:  # noqa: BLE001 it is raised again on the other side
            messages.put(_Raised(error))

    thread = threading.Thread(target=run, name=_THREAD_NAME, daemon=True)
    thread.start()
    try:
        while True:
            message = messages.get()
            if isinstance(message, _Raised):
                raise message.error
            yield message
            if isinstance(message, Returned):
                return
    finally:
        abandoned.set()
        thread.join()


def _calls(job: Job[T]) -> Iterator[Call]:
    """What must be called on the GUI thread for a job, as it comes."""
    steps = job.work()
    while not job.cancelled:
        try:
            value = next(steps)
        except StopIteration:
            break
        except Exception as error:  # noqa: BLE001 it is handed to whoever started the job
            yield partial(job.fail, error)
            break
        yield partial(job.deliver, value)
    if isinstance(steps, Generator):
        steps.close()
    yield job.finish


class _WarningsOfJobs:
    """Sends what libraries warn of inside a job to the log, from now until it is closed.

    napari turns warnings into notifications, from whichever thread they come; that once froze it (napari#2598), and
    a deprecation inside a library is nothing that a microscopist can act on. ``warnings.catch_warnings`` is no way out:
    it changes what all threads see.
    """

    def __init__(self) -> None:
        self._shown = warnings.showwarning
        self._open = True
        warnings.showwarning = self._show

    def close(self) -> None:
        """Put back what was there; where something else hooked in since, stay in the chain and only pass on."""
        self._open = False
        if warnings.showwarning == self._show:
            warnings.showwarning = self._shown

    def _show(
        self, message: Any, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        if self._open and threading.current_thread().name == _THREAD_NAME:
            logger.warning("%s (%s, %s:%s)", message, category.__name__, filename, lineno)
        else:
            self._shown(message, category, filename, lineno, file, line)
