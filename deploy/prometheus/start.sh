#!/bin/sh
# Starts Prometheus; tells it first by which name the proxy is called, which its own file cannot take from
# the environment. TARGETS and CONFIG are for tests.
set -eu
TARGETS=${TARGETS:-/tmp/targets}
mkdir -p "$TARGETS"
printf '[{"targets": ["https://%s/ready"]}]\n' "$SERVER_NAME" >"$TARGETS/proxy.json"
exec prometheus --config.file="${CONFIG:-/etc/prometheus/prometheus.yml}" \
    --storage.tsdb.path="${DATA:-/prometheus}" --storage.tsdb.retention.time=90d "$@"
