#!/bin/sh
# Brings a new version in, one replica after the other: `deploy/rolling_update.sh`. Needs an engine.
#
# Migrations run first, with the old version still serving: they are made so that it can (a test holds
# them to it). Then the replicas are replaced as rolling_restart.sh does it.
set -eu
cd "$(dirname "$0")/.."
compose() { docker compose --env-file .env -f deploy/docker-compose.yml "$@"; }

compose build service-a backup
compose up --detach --wait --no-deps backup
compose run --rm --no-deps prepare
deploy/rolling_restart.sh
compose up --detach --no-deps scheduler
