"""LiteLLM's proxy before the same stand-in, for comparison; from a virtual environment of its own.

It has no key store, no ledger and no database here: a key, a model, and the way to the provider.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM
from typing import Final

from tests import servers
from tests.load.processes import Server

SECRET: Final = "sk-load"
START_SECONDS: Final = 120
NO_NETWORK: Final = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}


@contextmanager
def running(venv: Path, upstream: str, home: Path) -> Iterator[Server]:
    """Start it with one worker.

    Args:
        venv: Virtual environment in which ``litellm[proxy]`` is installed.
        upstream: URL of the provider's stand-in.
        home: Where its configuration and log go.
    """
    parameters = {
        "model": "anthropic/claude-sonnet-5-5",
        "api_base": upstream,
        "api_key": "sk-local",
    }
    config = home / "litellm.yaml"  # JSON is YAML
    config.write_text(
        json.dumps(
            {
                "model_list": [{"model_name": "claude", "litellm_params": parameters}],
                "litellm_settings": {"telemetry": False},
                "general_settings": {"master_key": SECRET},
            }
        )
    )
    port = servers.free_port()
    process = servers.start(
        [
            str(venv / "bin" / "litellm"),
            *("--config", str(config), "--host", "127.0.0.1", "--port", str(port)),
            *("--num_workers", "1"),
        ],
        log=home / "litellm.log",
        env=os.environ | NO_NETWORK,
    )
    try:
        servers.wait_until(lambda: servers.listens(port), process, START_SECONDS)
        yield Server(
            url=f"http://127.0.0.1:{port}",
            path="/v1/chat/completions",
            headers={"Authorization": f"Bearer {SECRET}"},
            pid=process.pid,
        )
    finally:
        servers.stop(process, SIGTERM)
