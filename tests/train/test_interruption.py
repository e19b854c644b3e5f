from __future__ import annotations

import os
import signal
import threading

import pytest

from unfade.train.interruption import step_boundary


def press() -> None:
    """Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def test_the_step_is_finished_when_ctrl_c_is_pressed_in_it() -> None:
    before = signal.getsignal(signal.SIGINT)
    done = []
    with step_boundary(True) as interruption:
        press()
        done.append("step")
    assert interruption.requested and done == ["step"]
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_acts_at_once_the_second_time_or_where_no_checkpoint_would_be_written() -> None:
    with pytest.raises(KeyboardInterrupt), step_boundary(True):
        press()
        press()
    with pytest.raises(KeyboardInterrupt), step_boundary(False):
        press()


def test_other_threads_leave_ctrl_c_alone() -> None:
    found = []

    def work() -> None:
        with step_boundary(True) as interruption:
            found.append(interruption.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
