#!/bin/bash
# Restores a file of backup.sh: `restore.sh FILE`. An encrypted one needs IDENTITY, the file of the private
# key of age(1).
#
# A dump of PostgreSQL replaces what is in the database PGDATABASE, in one transaction: all of it or
# nothing. Stop the replicas first. A dump of Redis is laid into DATA, where redis-start.sh takes it up
# at the primary's next start.
set -euo pipefail
umask 077
SECRETS=${SECRETS:-/run/secrets}
DATA=${DATA:-/data}

file=${1:?usage: restore.sh FILE}
[[ -s $file ]] || { echo "restore: $file is missing or empty" >&2; exit 1; }

contents() {
    if [[ $file == *.age ]]; then
        age --decrypt --identity "${IDENTITY:?the file of the private key}" "$file"
    else
        cat "$file"
    fi
}

case $(basename "$file") in
postgres-*)
    if [[ -e $SECRETS/postgres_password ]]; then
        PGPASSWORD=$(tr -d '\r\n' <"$SECRETS/postgres_password")
        export PGPASSWORD
    fi
    contents | pg_restore --dbname="${PGDATABASE:?}" --clean --if-exists --no-owner \
        --exit-on-error --single-transaction
    ;;
redis-*)
    contents >"$DATA/restore.rdb.part"
    mv "$DATA/restore.rdb.part" "$DATA/restore.rdb"
    ;;
*)
    echo "restore: not a file of backup.sh: $file" >&2
    exit 2
    ;;
esac
echo "restore: $file restored"
