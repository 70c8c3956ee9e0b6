"""Workers of a corpus' preparation: they end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CALLER = """
import os, sys, time
from pathlib import Path
from emohead_training.corpora.pool import prepared_in_order

class Sleeper:
    def prepare(self, item):
        Path(sys.argv[1], str(os.getpid())).touch()
        time.sleep(60)

class Item:
    origin = "nowhere"

if __name__ == "__main__":
    list(prepared_in_order(Sleeper(), [Item(), Item()], 2))
"""


@pytest.mark.skipif(os.name != "posix", reason="kills by signal, reads process numbers")
def test_killed_caller_leaves_no_worker(tmp_path: Path) -> None:
    script, seen = tmp_path / "caller.py", tmp_path / "seen"
    script.write_text(CALLER)
    seen.mkdir()
    caller = subprocess.Popen([sys.executable, str(script), str(seen)])
    try:
        _wait(lambda: len(list(seen.iterdir())) == 2)
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        workers = [int(file.name) for file in seen.iterdir()]
        _wait(lambda: not any(_runs(worker) for worker in workers))
    finally:
        caller.kill()


def _wait(met) -> None:
    until = time.monotonic() + 30
    while not met():
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A zombie has ended, too: nobody has asked for its status yet.
    return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
