#!/bin/sh
# Starts one Redis of the topology: `redis-start.sh primary|replica|sentinel`.
#
# Redis and Sentinel rewrite their own configuration after a failover, so it lives in $DATA, a volume.
# Each start writes it anew with the passwords of today and keeps from the old one only what a failover
# has changed: whom a node follows, and what a sentinel knows.
#
# Settings, with the values of docker-compose.yml as defaults:
#   DATA, SECRETS   directories of the configuration and of the passwords (one file each)
#   ADDRESS, PORT   how the others reach this process; PRIMARY: "host port" of the first primary
#   BIND            addresses to listen on
#   SENTINEL_CONF   the sentinels' shared settings, deploy/sentinel.conf
set -eu
umask 077

role=$1
DATA=${DATA:-/data}
SECRETS=${SECRETS:-/run/secrets}
ADDRESS=${ADDRESS:-$(hostname)}
PRIMARY=${PRIMARY:-redis-primary 6379}
BIND=${BIND:-* -::*}
SENTINEL_CONF=${SENTINEL_CONF:-/etc/redis/sentinel.conf}
conf=$DATA/$role.conf

secret() {
    [ -s "$SECRETS/$1" ] || { echo "redis-start.sh: the secret $1 is missing or empty" >&2; exit 1; }
    tr -d '\r\n' <"$SECRETS/$1"
}

# Assigned one by one: a failure inside a here-document would go unnoticed.
sentinel_password=$(secret redis_sentinel_password)

if [ "$role" = sentinel ]; then
    port=${PORT:-26379}
    # A first start begins with the shared settings, a later one with what this sentinel has learnt.
    base=$SENTINEL_CONF
    [ -f "$conf" ] && base=$conf
    own='^(bind|port|dir|user|requirepass|sentinel (announce-ip|announce-port|auth-user|auth-pass|sentinel-user|sentinel-pass)) '
    settings=$(grep -vE "$own" "$base")
    name=$(echo "$settings" | awk '$1 == "sentinel" && $2 == "monitor" {print $3; exit}')
    cat >"$conf.new" <<END
$settings
bind $BIND
port $port
dir $DATA
user default on >$sentinel_password ~* &* +@all
sentinel sentinel-pass $sentinel_password
sentinel auth-user $name sentinel
sentinel auth-pass $name $sentinel_password
sentinel announce-ip $ADDRESS
sentinel announce-port $port
END
    mv "$conf.new" "$conf"
    exec redis-server "$conf" --sentinel
fi

port=${PORT:-6379}
password=$(secret redis_password)
replication_password=$(secret redis_replication_password)
exporter_password=$(secret redis_exporter_password)
if [ -f "$conf" ]; then
    follows=$(grep -E '^(replicaof|slaveof) ' "$conf" || true)
elif [ "$role" = replica ]; then
    follows="replicaof $PRIMARY"
else
    follows=
fi
cat >"$conf.new" <<END
$follows
bind $BIND
port $port
dir $DATA
replica-announce-ip $ADDRESS
replica-announce-port $port
masteruser replication
masterauth $replication_password
repl-diskless-sync-delay 0
# Snapshots and a journal: a node that restarts knows the rate limits and cached answers of before. The
# journal is synced once a second; what a crash loses of it is a second of limits, never money.
save 900 1 300 10 60 10000
appendonly yes
appendfsync everysec
maxmemory ${MAXMEMORY:-256mb}
# Nothing is evicted. Every key here has an end of its own, and every eviction policy that could make room
# would take rate limits with the cached answers: whoever fills the cache would open the limits, and nobody
# would hear of it. At the limit writes fail instead: answers are no longer cached, each process enforces
# its share of the limits from its own memory, and RedisMemoryFull has been firing since nine tenths.
maxmemory-policy noeviction
# The service may do what a cache and a limiter need; the others exactly what Redis documents for them.
user default reset off
user aiservice on >$password ~* &* +@all -@admin -@dangerous
user replication on >$replication_password +psync +sync +replconf +ping
user exporter on >$exporter_password +ping +info +config|get +slowlog|len +slowlog|get +latency|latest +latency|histogram +client|setname +client|list +select +dbsize
user sentinel on >$sentinel_password allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill
END
mv "$conf.new" "$conf"

# A backup that restore.sh laid here becomes the journal that this node starts from.
if [ -f "$DATA/restore.rdb" ]; then
    rm -rf "$DATA/appendonlydir"
    mv "$DATA/restore.rdb" "$DATA/dump.rdb"
    redis-server --port 0 --unixsocket "$DATA/restore.sock" --dir "$DATA" --dbfilename dump.rdb \
        --save "" --appendonly no --daemonize yes >/dev/null
    ask() { redis-cli -s "$DATA/restore.sock" "$@"; }
    until ask config set appendonly yes | grep -q OK; do sleep 0.2; done
    while ask info persistence | grep -qE '^aof_rewrite_(in_progress|scheduled):1'; do sleep 0.2; done
    ask shutdown nosave || true
fi
exec redis-server "$conf"
