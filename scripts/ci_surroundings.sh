#!/usr/bin/env bash
# Installs what some slow tests start and pip cannot bring: PostgreSQL, Chromium, bubblewrap; on Debian and Ubuntu as root.
# Anywhere else it says which tests will be skipped, and that is no failure.
set -Eeuo pipefail

missing=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
command -v chromium >/dev/null || missing+=(chromium)
command -v bwrap >/dev/null || missing+=(bubblewrap)
[ "${#missing[@]}" -gt 0 ] || exit 0

skipped() {
  echo "warning: not installed: ${missing[*]} ($1); the tests that need it are skipped" >&2
  exit 0
}
command -v apt-get >/dev/null || skipped "no apt-get here"
[ "$(id -u)" -eq 0 ] || skipped "only root may install it: apt-get install ${missing[*]}"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# fonts: without any, pages are boxes and their widths mean nothing
if ! { apt-get update -q && apt-get install -qy --no-install-recommends "${missing[@]}" fonts-dejavu-core; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  skipped "apt-get failed"
fi
echo "installed for the slow tests: ${missing[*]}"
