#!/bin/bash
# Dumps PostgreSQL and Redis into files: `backup.sh now`, or `backup.sh daily` to do so every day.
#
# Settings, with the values of docker-compose.yml as defaults:
#   BACKUPS            where the files go; each appears whole or not at all
#   SECRETS            directory of the passwords, one file each
#   BACKUP_AT          when, as 02:30, in TZ
#   BACKUP_KEEP_DAYS   older files are removed
#   BACKUP_RECIPIENT   public key of age(1): files are encrypted for it, and this host cannot read them
#   PGHOST, PGUSER, …  the database, as for psql(1)
#   SENTINELS          "host:port host:port …"; empty: no Redis
set -euo pipefail
umask 077
BACKUPS=${BACKUPS:-/backups}
SECRETS=${SECRETS:-/run/secrets}
BACKUP_AT=${BACKUP_AT:-02:30}
BACKUP_KEEP_DAYS=${BACKUP_KEEP_DAYS:-14}
BACKUP_RECIPIENT=${BACKUP_RECIPIENT:-}
SENTINELS=${SENTINELS:-}

secret() { tr -d '\r\n' <"$SECRETS/$1"; }

# write NAME: takes a dump from standard input. finish NAME: it is whole.
suffix=${BACKUP_RECIPIENT:+.age}
write() {
    local file=$BACKUPS/$1$suffix.part
    if [[ $BACKUP_RECIPIENT ]]; then
        age --encrypt --recipient "$BACKUP_RECIPIENT" --output "$file"
    else
        cat >"$file"
    fi
}
finish() {
    local file=$BACKUPS/$1$suffix
    sync "$file.part"
    mv "$file.part" "$file"
    echo "backup: $file, $(stat --format=%s "$file") bytes"
}

dump_postgres() {
    if [[ -e $SECRETS/postgres_password ]]; then
        PGPASSWORD=$(secret postgres_password)
        export PGPASSWORD
    fi
    pg_dump --format=custom --no-owner | write "postgres-$1.dump"
    finish "postgres-$1.dump"
}

dump_redis() {
    local sentinel address=()
    for sentinel in $SENTINELS; do
        mapfile -t address < <(REDISCLI_AUTH=$(secret redis_sentinel_password) timeout 5 redis-cli \
            -h "${sentinel%:*}" -p "${sentinel#*:}" --no-auth-warning \
            sentinel get-master-addr-by-name mymaster 2>/dev/null || true)
        ((${#address[@]} == 2)) && break
    done
    ((${#address[@]} == 2)) || { echo "backup: no sentinel knows a primary" >&2; return 1; }
    local raw
    raw=$(mktemp "$BACKUPS/redis.XXXXXX.part")
    REDISCLI_AUTH=$(secret redis_replication_password) redis-cli -h "${address[0]}" -p "${address[1]}" \
        --user replication --no-auth-warning --rdb "$raw" >/dev/null
    # A connection that breaks leaves a file too: a whole one begins so, and ends with this and a checksum.
    [[ $(head --bytes=5 "$raw") == REDIS ]] || { rm "$raw"; echo "backup: no dump of Redis" >&2; return 1; }
    write "redis-$1.rdb" <"$raw"
    finish "redis-$1.rdb"
    rm "$raw"
}

now() {
    local stamp failed=0
    stamp=$(date +%Y-%m-%dT%H%M%S)
    find "$BACKUPS" -name '*.part' -mmin +600 -delete
    # Each in a shell of its own: one that fails must not keep the other from being made.
    bash "$0" postgres "$stamp" || failed=1
    [[ ! $SENTINELS ]] || bash "$0" redis "$stamp" || failed=1
    if ((failed)); then
        echo "backup: FAILED" >&2
    else # never the last ones there are
        find "$BACKUPS" -type f \( -name 'postgres-*' -o -name 'redis-*' \) -mtime "+$BACKUP_KEEP_DAYS" -delete
    fi
    return "$failed"
}

case ${1:-} in
now) now ;;
postgres) dump_postgres "$2" ;;
redis) dump_redis "$2" ;;
daily)
    trap 'exit 0' TERM INT
    while :; do
        next=$(date --date="today $BACKUP_AT" +%s)
        ((next > $(date +%s))) || next=$(date --date="tomorrow $BACKUP_AT" +%s)
        echo "backup: next at $(date --date="@$next" '+%F %T %Z')"
        sleep $((next - $(date +%s))) &
        wait $!
        now || true # said above, and by the alert BackupMissing
    done
    ;;
*)
    echo "usage: backup.sh now | daily" >&2
    exit 2
    ;;
esac
