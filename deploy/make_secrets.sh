#!/bin/sh
# Makes deploy/secrets/, one file for each secret of docker-compose.yml. What exists stays as it is: run it
# again after an update that needs a new one. SECRETS names another directory.
#
# The directory opens for its owner alone. The files in it are readable, because each container reads its
# own as another user, and sees none but those it is given.
set -eu
directory=${SECRETS:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$directory"
chmod 700 "$directory"

put() { # put NAME: the first value stays for ever
    if [ -e "$directory/$1" ]; then
        echo "kept  $1"
    else
        cat >"$directory/$1.new"
        chmod 444 "$directory/$1.new"
        mv "$directory/$1.new" "$directory/$1"
        echo "made  $1"
    fi
}
# URL-safe, because one becomes part of an address.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

for name in postgres_password redis_password redis_replication_password redis_sentinel_password \
    redis_exporter_password grafana_admin_password sii_monitor_webhook_secret; do
    random | put "$name"
done
{ random; random; } | put secret_key
printf 'postgres://aiservice:%s@postgres:5432/aiservice' "$(cat "$directory/postgres_password")" | put database_url
# Yours to fill in; while it is empty, the service answers from its rules and its knowledge.
printf '' | put anthropic_api_key
# A mail server for notices of the SII (docs/settings.md, EMAIL_URL); empty: none.
printf '' | put email_url
# OIDC_CLIENT_SECRET of docs/settings.md; empty: none.
printf '' | put oidc_client_secret
# BUDGET_WEBHOOK_SECRET of docs/settings.md; empty: none.
printf '' | put budget_webhook_secret
