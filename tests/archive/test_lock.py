from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from unfade.archive.lock import lock
from unfade.archive.storage import open_storage
from unfade.errors import UsageError


def test_folder_is_held_until_its_process_dies(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom unfade.archive.lock import lock\n"
        "from unfade.archive.storage import open_storage\n"
        "with lock(open_storage(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(UsageError, match=f"process {other.pid} on"),
            lock(open_storage(str(tmp_path))),
        ):
            pass
        other.kill()
        other.wait()
    with lock(open_storage(str(tmp_path))):
        pass


def test_object_store_is_held_while_it_is_renewed(tmp_path: Path) -> None:
    place = open_storage(f"memory://{tmp_path.name}")
    with (
        lock(place, beat_s=0.1),
        pytest.raises(UsageError, match="another run writes"),
        lock(place, beat_s=0.1),
    ):
        pass
    place.write("unfade-archive/lock.json", b'{"holder": "killed", "beats": 3}')
    started = time.monotonic()
    with lock(place, beat_s=0.1):
        assert time.monotonic() - started >= 0.3
    assert place.read("unfade-archive/lock.json") is None
