#!/bin/sh
# The tests start a Postgres server of their own; install its programs where they are missing.
set -eu

for folder in /usr/lib/postgresql/*/bin $(echo "$PATH" | tr ':' ' '); do
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && exit 0
done

missing="the tests need Postgres' initdb and postgres: install the package postgresql (Debian) or put them on the PATH"
command -v apt-get >/dev/null || { echo "$missing" >&2; exit 1; }
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo -n"
echo "installing postgresql for the tests"
{ $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y postgresql; } >/dev/null \
    || { echo "$missing" >&2; exit 1; }
