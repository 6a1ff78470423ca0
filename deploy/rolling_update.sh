#!/bin/sh
# Brings a new version in, one replica after the other: `deploy/rolling_update.sh`. Needs an engine.
#
# Migrations run first, with the old version still serving: they are made so that it can (a test holds
# them to it). Each replica finishes its replies, is replaced, and must be ready before the next one stops.
set -eu
cd "$(dirname "$0")/.."
compose() { docker compose --env-file .env -f deploy/docker-compose.yml "$@"; }

compose build service-a backup
compose up --detach --wait --no-deps backup
compose run --rm --no-deps prepare
for replica in service-a service-b; do
    echo "$(date +%T) $replica"
    compose up --detach --no-deps --wait "$replica"
done
compose up --detach --no-deps scheduler
echo "$(date +%T) done"
