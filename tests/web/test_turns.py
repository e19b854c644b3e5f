"""Work of several visitors takes turns; that of one is done in its order."""

from __future__ import annotations

import threading

import pytest

from unfade.errors import UsageError
from unfade.web.fifo_lock import FifoLock
from unfade.web.task_queue import TaskQueue


def test_turns_come_in_order_and_too_many_are_refused() -> None:
    turns, go, waits, order = FifoLock(max_waiting=1), threading.Event(), threading.Event(), []

    def second() -> None:
        def wait(before: int) -> None:
            order.append(before)
            waits.set()

        with turns.hold(wait):
            order.append("second")

    thread = threading.Thread(target=second)
    with turns.hold():
        thread.start()
        assert waits.wait(30)
        with pytest.raises(UsageError, match="1 pieces of work wait already"), turns.hold():
            pass
        order.append("first")
        go.set()
    thread.join(30)
    assert order[0] == 1 and order[-3:] == ["first", 0, "second"]


def test_who_gives_up_a_turn_leaves_the_line() -> None:
    turns = FifoLock(max_waiting=5)

    def give_up(before: int) -> None:
        raise KeyError(before)

    with turns.hold():
        with pytest.raises(KeyError), turns.hold(give_up):
            pass
        assert len(turns._queue) == 1
    assert not turns._queue


def test_line_does_its_tasks_in_order_and_forgets_what_is_dropped() -> None:
    line, go, begun, done = TaskQueue(), threading.Event(), threading.Event(), []

    def first() -> None:
        begun.set()
        assert go.wait(30)
        raise ValueError("a task that fails ends no other")

    line.put("a", first)
    assert begun.wait(30)
    last = threading.Event()
    for key in "bcde":
        line.put(key, lambda key=key: done.append(key))
    line.prefer("d")
    line.drop("c")
    line.put("f", last.set)
    assert line.keys() == ["a", "d", "b", "e", "f"]
    go.set()
    assert last.wait(30)
    assert done == ["d", "b", "e"]
    again = threading.Event()
    line.put("g", again.set)  # after its thread has ended, or while it ends
    assert again.wait(30)
