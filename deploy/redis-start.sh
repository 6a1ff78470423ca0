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
# Cached answers and rate limits: losing them costs a second of work, so nothing is written to disk.
save ""
appendonly no
maxmemory ${MAXMEMORY:-256mb}
maxmemory-policy allkeys-lru
# The service may do what a cache and a limiter need; the others exactly what Redis documents for them.
user default reset off
user aiservice on >$password ~* &* +@all -@admin -@dangerous
user replication on >$replication_password +psync +replconf +ping
user sentinel on >$sentinel_password allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill
END
mv "$conf.new" "$conf"
exec redis-server "$conf"
