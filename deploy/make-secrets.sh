#!/bin/sh
# Makes the secrets of compose.yaml that are not there yet, in a directory (deploy/secrets unless named): sh make-secrets.sh [DIR]
# The directory is its owner's alone. The files can be read by all, since each container has an account of its own.
# It needs openssl.
set -eu
fail() {
    echo "make-secrets.sh: $1" >&2
    exit 1
}
command -v openssl >/dev/null || fail "openssl is needed to make secrets, and it is not installed. Nothing was written."
directory=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$directory"
cd "$directory"

write() { # a file with what is piped in
    cat >"$1.new" && chmod 444 "$1.new" && mv "$1.new" "$1"
}
put() { # a file with what is piped in, unless there is one; neither may be empty
    made=$(cat)
    if [ ! -e "$1" ]; then
        [ -n "$made" ] || fail "nothing was made for $1."
        printf '%s\n' "$made" | write "$1"
    elif [ -z "$(cat "$1")" ]; then
        fail "$PWD/$1 is empty. Put its value back; or, if nothing has run with these secrets, remove all of them, and run this again."
    fi
}
random() { openssl rand -hex 24; }

for name in postgres_password postgres_owner_password postgres_app_password postgres_monitor_password \
    postgres_exporter_password redis_password redis_exporter_password elastic_password mongodb_root_password \
    mongodb_app_password mongodb_exporter_password mongodb_grafana_password grafana_admin_password metrics_token; do
    random | put "$name"
done
openssl rand -base64 48 | put jwt_secret
openssl rand -base64 32 | put master_key
# To be filled in by hand, where they are used.
for name in jwt_secret_previous smtp_password slack_webhook_url pagerduty_routing_key; do
    [ -e "$name" ] || printf '' | write "$name"
done

echo "postgresql://clientforge_app:$(cat postgres_app_password)@pgbouncer:6432/clientforge" | put database_url
echo "postgresql://clientforge_monitor:$(cat postgres_monitor_password)@pgbouncer:6432/clientforge" | put database_monitor_url
# Migrations go to PostgreSQL itself: they lock, and need their session.
echo "postgresql://clientforge_owner:$(cat postgres_owner_password)@postgres:5432/clientforge" | put database_owner_url
printf '"clientforge_app" "%s"\n"clientforge_monitor" "%s"\n' \
    "$(cat postgres_app_password)" "$(cat postgres_monitor_password)" | put pgbouncer_userlist

echo "redis://clientforge:$(cat redis_password)@redis:6379/0" | put redis_url
cat <<END | put redis_acl
user default off
user clientforge on >$(cat redis_password) ~* &* +@all -@admin -@dangerous +info +config|get +keys
user exporter on >$(cat redis_exporter_password) ~* +client|list +config|get +info +latency +slowlog +ping +select +client|setname +dbsize
user health on nopass +ping
END
printf '{"redis://exporter@redis:6379": "%s"}\n' "$(cat redis_exporter_password)" | put redis_exporter_passwords

echo "http://elastic:$(cat elastic_password)@elasticsearch:9200" | put elasticsearch_url
# Not as a file, which its image refuses when others may read it.
echo "ELASTIC_PASSWORD=$(cat elastic_password)" | put elasticsearch.env
printf 'ES_USERNAME=elastic\nES_PASSWORD=%s\n' "$(cat elastic_password)" | put elasticsearch_exporter.env

echo "mongodb://clientforge:$(cat mongodb_app_password)@mongodb:27017/clientforge?authSource=clientforge" | put mongodb_url
echo "MONGODB_URI=mongodb://exporter:$(cat mongodb_exporter_password)@mongodb:27017/admin" | put mongodb_exporter.env
printf 'GRAFANA_MONGODB_USER=grafana\nGRAFANA_MONGODB_PASSWORD=%s\n' "$(cat mongodb_grafana_password)" | put grafana.env
