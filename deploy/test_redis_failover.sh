#!/bin/sh
# Loses the Redis primary on purpose and prints what happens, with times: `deploy/test_redis_failover.sh`.
# Needs an engine and the running stack; callers notice a slower second at most. The same steps run in the
# suite on processes (tests/integration/aiservice/test_sentinel.py).
set -eu
cd "$(dirname "$0")/.."
PATIENCE=${PATIENCE:-60}
started=$(date +%s%N)

compose() { docker compose --env-file .env -f deploy/docker-compose.yml "$@"; }
seconds() { echo "$((($(date +%s%N) - started) / 1000000))" | sed 's/\(...\)$/.\1/; s/^\./0./'; }
say() { printf '%8s s  %s\n' "$(seconds)" "$*"; }
fail() { say "FAILED: $*"; exit 1; }

# Of a sentinel: the address it takes for the primary's, as a service's name.
primary() {
    compose exec -T "$1" sh -c 'REDISCLI_AUTH=$(cat /run/secrets/redis_sentinel_password) \
        redis-cli -p 26379 --no-auth-warning sentinel get-master-addr-by-name mymaster' | head -n 1 | tr -d '\r'
}
# Of a node, as the service's user: a command.
node() {
    name=$1; shift
    compose exec -T "$name" sh -c 'REDISCLI_AUTH=$(cat /run/secrets/redis_password) \
        redis-cli --user aiservice --no-auth-warning "$@"' sh "$@" | tr -d '\r'
}
until_true() { # until_true WHAT COMMAND…
    what=$1; shift
    deadline=$(($(date +%s) + PATIENCE))
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$deadline" ] || fail "$what: not within $PATIENCE s"
        sleep 0.2
    done
    say "$what"
}
agreed() { # every sentinel names the same primary, another one than OLD
    first=$(primary redis-sentinel-1)
    [ -n "$first" ] && [ "$first" != "$old" ] &&
        [ "$first" = "$(primary redis-sentinel-2)" ] && [ "$first" = "$(primary redis-sentinel-3)" ]
}
takes_writes() { [ "$(node "$(primary redis-sentinel-1)" set failover-test "$1")" = OK ]; }
has() { [ "$(node "$1" get failover-test)" = "$2" ]; }
# What `health` says of Redis, as a caller sees it.
healthy() {
    compose exec -T service-a python -c 'import json, sys, urllib.request as u
try: body = u.urlopen("http://127.0.0.1:8000/health", timeout=3).read()
except u.HTTPError as exc: body = exc.read()
sys.exit(json.loads(body)["dependencies"]["redis"]["status"] != "ok")'
}

old=$(primary redis-sentinel-1)
[ -n "$old" ] || fail "redis-sentinel-1 names no primary; is the stack up?"
say "the primary is $old"
until_true "it takes a write" takes_writes before
other=redis-replica-1
[ "$other" != "$old" ] || other=redis-primary
until_true "$other has it" has "$other" before

say "killing $old"
compose kill --signal SIGKILL "$old" >/dev/null 2>&1
until_true "the three sentinels agree on another primary" agreed
new=$(primary redis-sentinel-1)
say "it is $new"
until_true "it has what was written before" has "$new" before
until_true "it takes a write" takes_writes after
until_true "the service reaches it" healthy

say "starting $old again"
compose start "$old" >/dev/null 2>&1
until_true "it has what was written meanwhile, as a replica" has "$old" after
[ "$(primary redis-sentinel-1)" = "$new" ] || fail "the primary changed again"
say "passed: $new is the primary, $old follows it"
