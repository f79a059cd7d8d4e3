"""The queue of a worker: records of several parts share its threads."""

import contextvars
import threading
import time

import pytest

from vidal.errors import PutBack
from vidal.pipeline.turns import Turns
from vidal.pipeline.work_queue import WorkQueue, process_in_turn


@pytest.fixture
def queue():
    made = WorkQueue(3, "test")
    yield made
    made.close()


def in_threads(*calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def test_results_come_in_the_order_of_the_records(queue):
    def work(number):
        time.sleep(0.02 * (5 - number))
        return number * 10

    assert queue.process_all(work, range(5)) == [0, 10, 20, 30, 40]
    assert queue.process_all(work, []) == [] and process_in_turn(work, [1, 0]) == [10, 0]


def test_slow_records_of_one_part_leave_threads_for_the_next(queue):
    """Two threads of three wait for a slow host; the records of another part are done meanwhile."""
    is_over, results = threading.Event(), {}
    (slow,) = in_threads(lambda: results.update(slow=queue.process_all(lambda _: is_over.wait(30), [1, 2])))
    assert queue.process_all(lambda number: number, range(20)) == list(range(20))
    assert slow.is_alive() and not results
    is_over.set()
    slow.join()
    assert results == {"slow": [True, True]}


@pytest.mark.parametrize("is_threaded", [True, False])
def test_a_record_that_is_put_back_is_done_after_the_others(queue, is_threaded):
    order = []

    def work(record):
        if record == "paused" and "b" not in order:
            raise PutBack(0.2)
        order.append(record)
        return record.upper()

    process = queue.process_all if is_threaded else process_in_turn
    assert process(work, ["paused", "a", "b"]) == ["PAUSED", "A", "B"]
    assert order[-1] == "paused"


@pytest.mark.parametrize("is_threaded", [True, False])
def test_an_error_ends_its_own_part_without_waiting_for_what_was_put_back(queue, is_threaded):
    def work(record):
        if record == "paused":
            raise PutBack(60)
        raise OSError("the disk is full")

    process = queue.process_all if is_threaded else process_in_turn
    started = time.monotonic()
    with pytest.raises(OSError, match="the disk is full"):
        process(work, ["paused", "bad", "bad"])
    assert time.monotonic() - started < 30
    assert process(str.upper, ["a"]) == ["A"]


def test_records_are_processed_in_the_context_of_their_part(queue):
    part = contextvars.ContextVar("part", default=None)
    seen_in = {}

    def process(number):
        part.set(number)
        seen_in[number] = queue.process_all(lambda _: (time.sleep(0.01), part.get())[1], range(4))

    for thread in in_threads(*(lambda number=number: process(number) for number in range(3))):
        thread.join()
    assert seen_in == {number: [number] * 4 for number in range(3)}


def test_a_part_that_has_to_be_alone_waits_for_the_others_and_they_for_it():
    turns, events, may_end = Turns(3), [], threading.Event()
    is_alone = threading.Event()

    def ordinary():
        with turns.take():
            events.append("first begins")
            may_end.wait(30)
            events.append("first ends")

    def lonely():
        with turns.take() as turn:
            turn.be_alone()
            events.append("alone")
            is_alone.set()
            time.sleep(0.2)
            events.append("alone ends")

    def late():
        with turns.take():
            events.append("late")

    threads = in_threads(ordinary)
    while not events:
        time.sleep(0.01)
    threads += in_threads(lonely)
    time.sleep(0.2)
    assert events == ["first begins"]
    may_end.set()
    is_alone.wait(30)
    threads += in_threads(late)
    for thread in threads:
        thread.join()
    assert events == ["first begins", "first ends", "alone", "alone ends", "late"]
