"""Stands in for ``docker`` where scripts of deploy/ run on processes: `docker compose …`.

Only what they ask for: ``exec`` of a shell line in a node, ``kill``, ``start`` and ``up --force-recreate``.
The topology is told of by a file of JSON in the environment's ``TOPOLOGY``; starting is left to its owner,
by a file that this one makes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def leave_to_owner(action: str, what: str) -> None:
    """Ask for something to be done, and wait until it is."""
    request = Path(os.environ["TOPOLOGY"]).with_name(action)
    request.with_suffix(".new").write_text(what)
    request.with_suffix(".new").rename(request)
    while request.exists():
        time.sleep(0.05)


facts = json.loads(Path(os.environ["TOPOLOGY"]).read_text())
ports: dict[str, int] = facts["ports"]  # by the Compose service's name
arguments = sys.argv[sys.argv.index("deploy/docker-compose.yml") + 1 :]
match arguments:
    case ["exec", "-T", "service-a", *_]:
        sys.exit(0)  # the service is watched by the test itself
    case ["exec", "-T", name, "sh", "-c", line, *rest]:
        port = ports[name]
        line = line.replace("/run/secrets", facts["secrets"]).replace("-p 26379 ", "")
        line = line.replace("redis-cli", f"redis-cli -h 127.0.0.1 -p {port}")
        done = subprocess.run(
            ["sh", "-c", line, *rest], capture_output=True, text=True, check=False
        )
        lines = done.stdout.splitlines()
        if "get-master-addr-by-name" in line and len(lines) == 2:  # a name, as Compose would have
            print(next(name for name, port in ports.items() if port == int(lines[1])))
        else:
            print(done.stdout, end="")
        sys.exit(done.returncode)
    case ["kill", "--signal", "SIGKILL", name]:
        os.kill(facts["pids"][str(ports[name])], signal.SIGKILL)
    case ["start", name]:
        leave_to_owner("start", str(ports[name]))
    case ["up", "--detach", "--no-deps", "--force-recreate", "--wait", name]:
        leave_to_owner("recreate", name)
    case _:
        sys.exit(f"not stood in for: {arguments}")
