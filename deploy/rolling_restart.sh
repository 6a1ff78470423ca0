#!/bin/sh
# Restarts the replicas one after the other, with nobody noticing: `deploy/rolling_restart.sh`. Needs an engine.
#
# A replica that is told to stop says so at /ready, serves on for STOP_DELAY_SECONDS, by when the proxy
# sends it nothing more, finishes its replies and ends; its successor must be ready before the next one is
# told. The same steps run in the suite on processes (tests/integration/aiservice/test_proxy.py).
set -eu
cd "$(dirname "$0")/.."
compose() { docker compose --env-file .env -f deploy/docker-compose.yml "$@"; }

for replica in service-a service-b; do
    echo "$(date +%T) $replica"
    compose up --detach --no-deps --force-recreate --wait "$replica"
done
echo "$(date +%T) done"
