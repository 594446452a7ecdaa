import threading
import warnings

import pytest

from patchfield.napari.jobs import InlineRunner, Job, Reported, Returned, Slot, ThreadRunner, reports


class Mailbox:
    """Stands for the GUI thread's event loop."""

    def __init__(self):
        self.calls, self._arrived = [], threading.Condition()

    def post(self, call):
        with self._arrived:
            self.calls.append(call)
            self._arrived.notify()

    def deliver_until(self, condition, seconds=10):
        while not condition():
            with self._arrived:
                assert self.calls or self._arrived.wait(seconds), "nothing came"
                call = self.calls.pop(0)
            call()


def counting(numbers):
    def work():
        yield from numbers

    return work


def test_a_job_hands_over_everything_in_order_and_ends_once():
    seen, ended = [], []
    job = Job(counting([1, 2, 3]), seen.append)
    job.then(lambda: ended.append(True))
    InlineRunner().start(job)
    assert (seen, ended) == ([1, 2, 3], [True])


def test_steps_are_computed_in_another_thread_and_handed_over_in_this_one():
    mailbox, threads, ended = Mailbox(), [], []

    def work():
        yield threading.get_ident()

    job = Job(work, lambda worker: threads.extend([worker, threading.get_ident()]))
    job.then(lambda: ended.append(True))
    ThreadRunner(mailbox.post).start(job)
    mailbox.deliver_until(lambda: ended)
    worker, receiver = threads
    assert worker != receiver == threading.get_ident()


@pytest.mark.parametrize("error", [ValueError("no"), RuntimeError("CUDA out of memory")])
def test_what_a_job_raises_is_told_and_the_job_ends(error):
    mailbox, told, ended = Mailbox(), [], []

    def work():
        yield 1
        raise error

    job = Job(work, on_error=told.append)
    job.then(lambda: ended.append(True))
    ThreadRunner(mailbox.post).start(job)
    mailbox.deliver_until(lambda: ended)
    assert told == [error]


def test_a_cancelled_job_stops_at_its_next_step_and_says_nothing_more():
    mailbox, seen, closed, go_on = Mailbox(), [], threading.Event(), threading.Event()

    def work():
        try:
            for number in range(1000):
                yield number
                go_on.wait(10)
        finally:
            closed.set()

    job = Job(work, seen.append)
    ended = []
    job.then(lambda: ended.append(True))
    ThreadRunner(mailbox.post).start(job)
    mailbox.deliver_until(lambda: seen)
    job.cancel()
    go_on.set()
    mailbox.deliver_until(lambda: ended)
    assert seen == [0]
    assert closed.is_set()


def test_of_the_jobs_that_wait_only_the_latest_runs(stepped):
    slot, seen = Slot(stepped), []
    for number in range(4):
        slot.submit(Job(counting([number]), seen.append))
    stepped.run()
    assert seen == [0, 3]
    assert not slot.busy


def test_an_interrupting_job_ends_the_running_one_first(stepped):
    slot, seen = Slot(stepped), []
    slot.submit(Job(counting([1, 2, 3]), seen.append))
    stepped.step()
    slot.submit(Job(counting([10]), seen.append), interrupt=True)
    assert stepped.running == 1, "never two at a time"
    stepped.run()
    assert seen == [1, 10]


def test_a_cancelled_slot_takes_jobs_again(stepped):
    slot, seen = Slot(stepped), []
    slot.submit(Job(counting([1, 2]), seen.append))
    slot.cancel()
    slot.submit(Job(counting([3]), seen.append))
    stepped.run()
    assert seen == [3]


def test_reports_of_a_call_become_steps():
    def call(report):
        report(1)
        report(2)
        return "done"

    assert list(reports(call)) == [Reported(1), Reported(2), Returned("done")]


def test_errors_of_a_reporting_call_come_out():
    def call(report):
        report(1)
        raise OSError("disk full")

    steps = reports(call)
    assert next(steps) == Reported(1)
    with pytest.raises(OSError, match="disk full"):
        next(steps)


def test_nobody_waiting_ends_a_reporting_call():
    ended = threading.Event()

    def call(report):
        try:
            while True:
                report(0)
        finally:
            ended.set()

    steps = reports(call)
    next(steps)
    steps.close()
    assert ended.is_set(), "its thread has ended, too"


def _warning_job(ended):
    def work():
        warnings.warn("deprecated somewhere below", FutureWarning, stacklevel=1)
        yield 1

    job = Job(work)
    job.then(lambda: ended.append(True))
    return job


def test_warnings_inside_a_job_go_to_the_log_while_the_panel_is_open_and_only_these(caplog):
    shown, ended, mailbox = [], [], Mailbox()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = napari_s = lambda *warning, **_: shown.append(str(warning[0]))
        first, second = ThreadRunner(mailbox.post), ThreadRunner(mailbox.post)
        first.close()
        second.start(_warning_job(ended))
        mailbox.deliver_until(lambda: ended)
        warnings.warn("meant for the user", UserWarning, stacklevel=1)
        assert shown == ["meant for the user"]
        second.close()
        lone = ThreadRunner(mailbox.post)
        lone.close()
        warnings.warn("once more", UserWarning, stacklevel=1)
        assert shown == ["meant for the user", "once more"]
        warnings.showwarning = napari_s
        ThreadRunner(mailbox.post).close()
        assert warnings.showwarning is napari_s, "what was there is there again"
    assert "deprecated somewhere below" in caplog.text


def test_a_closed_runner_ends_its_jobs_and_starts_none():
    mailbox, seen, ended = Mailbox(), [], threading.Event()

    def work():
        try:
            while True:
                yield 1
        finally:
            ended.set()

    runner = ThreadRunner(mailbox.post)
    steps = []
    runner.start(Job(work, steps.append))
    mailbox.deliver_until(lambda: steps)
    runner.close()
    assert ended.wait(10)
    runner.start(Job(counting([1]), seen.append))
    assert seen == []
