"""What is forked for a test ends and speaks as a process that was started would."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import servers, zygote
from tests.integration.conftest import is_live

pytestmark = pytest.mark.integration


def test_its_exit_code_and_its_words_are_known(tmp_path: Path) -> None:
    log = tmp_path / "log"
    told = zygote.start("platform", log=log, env={"PATH": os.environ["PATH"]})
    assert told.wait(servers.START_SECONDS) == 0
    assert "Linux" in log.read_text() or "macOS" in log.read_text()
    failed = zygote.start("json.tool", log=log, env={})  # of nothing, which is no JSON
    assert failed.wait(servers.START_SECONDS) == 1
    assert "Expecting value" in log.read_text()


def test_it_is_killed_and_frozen_like_any_other(tmp_path: Path) -> None:
    port = servers.free_port()
    env = dict(os.environ) | {"HOST": "127.0.0.1", "PORT": str(port)}
    database = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    served = zygote.start(
        "aiservice.serve", log=tmp_path / "log", env=env | {"DATABASE_URL": database}
    )
    # Until it answers: it listens a moment before it hears signals.
    servers.wait_until(lambda: is_live(f"http://127.0.0.1:{port}"), served)
    assert os.getsid(served.pid) == served.pid
    served.send_signal(signal.SIGSTOP)
    served.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        served.wait(0.2)
    served.kill()
    assert served.wait(servers.START_SECONDS) == -signal.SIGKILL
    served.kill()  # nobody is there any more
