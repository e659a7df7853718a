# Read by the scripts beside it with `source`: where the repository is, how to speak, what must be installed.
# shellcheck shell=bash

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Swift that this package's manifest needs.
least_swift=6.2

# What every build links against: "package: why", as it is told when one is missing.
build_packages=(
  "g++: the C++ headers that simdjson needs"
  "pkg-config: finds the C libraries"
  "libmicrohttpd-dev: HTTP"
  "libsqlite3-dev: records"
  "libsimdjson-dev: JSON on the request path"
  "libpcre2-dev: patterns in JSON Schemas"
  "libelf-dev: reading plugins before they run"
  "libseccomp-dev: what isolated plugins may ask of the kernel"
  "libssl-dev: hashes and signatures"
  "libyaml-dev: the configuration file"
  "libcurl4-openssl-dev: outgoing HTTP"
)

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' red='' plain=''
fi

# Progress goes to stderr: stdout is for what a caller may want to keep.
say() { printf '%s%s%s\n' "$bold" "$*" "$plain" >&2; }
fail() {
  printf '%s%s: %s%s\n' "$red" "$(basename "$0")" "$*" "$plain" >&2
  exit 1
}

# The comment that starts a script is its manual.
print_manual() { sed -n '2,${/^#/!q;s/^# \{0,1\}//p}' "$0"; }

is_root() { [[ $(id -u) == 0 ]]; }
as_root() {
  if is_root; then "$@"; else sudo -- "$@"; fi
}

# install_packages "name: why" …: installs those that are missing, and says which and why. Nothing is asked, nothing is
# downloaded when all are there.
install_packages() {
  local line name missing=()
  for line in "$@"; do
    name=${line%%:*}
    if [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) != installed ]]; then
      ((${#missing[@]})) || say "Debian packages that are missing:"
      printf '  %-24s %s\n' "$name" "${line#*: }" >&2
      missing+=("$name")
    fi
  done
  ((${#missing[@]})) || return 0

  command -v apt-get >/dev/null || fail "this is no Debian (apt-get is missing); install what the list above names"
  if ! is_root && ! command -v sudo >/dev/null; then
    fail "neither root nor sudo; run as root: apt-get install ${missing[*]}"
  fi
  # Lists that are missing or too old show as a package without a candidate, or as a failed download.
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends)
  if apt-cache policy "${missing[@]}" 2>/dev/null | grep -q 'Candidate: [^(]' &&
    as_root "${install[@]}" "${missing[@]}" >&2; then
    return 0
  fi
  as_root apt-get update -qq >&2
  as_root "${install[@]}" "${missing[@]}" >&2 || fail "apt-get could not install: ${missing[*]}"
}

# One line and the way out, when `swift` is missing or too old.
require_swift() {
  local where="install it from https://www.swift.org/install/linux/ and put its usr/bin into PATH"
  command -v swift >/dev/null || fail "Swift $least_swift or later is needed, and there is no \`swift\` in PATH: $where"
  local version
  # One that only fails is of no known version, and must not end the script without a word.
  version=$({ swift --version 2>/dev/null || true; } | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
  if [[ $(printf '%s\n' "$least_swift" "${version:-0}" | sort -V | head -n 1) != "$least_swift" ]]; then
    fail "Swift $least_swift or later is needed, and \`swift\` is ${version:-of an unknown version}: $where"
  fi
}

# stage "what" command …: runs it and says how long it took. The times are repeated by `print_stages`. What failed is
# repeated at the end, where a reader of a long log, or of its last lines, looks.
stages=()
stage() {
  local title=$1 started=$SECONDS code=0 line
  shift
  say "== $title"
  told "$@" || code=$?
  line=$(printf '%5d s  %s%s' $((SECONDS - started)) "$title" "$( ((code == 0)) || printf ' (failed)')")
  stages+=("$line")
  say "== $line"
  return "$code"
}
# told command …: runs it, and repeats the lines that tell of failures (of Swift Testing, the compiler, a sanitizer).
told() {
  local code=0 log
  log=$(mktemp /tmp/council-stage-XXXXXX)
  # No pipe: the command may set variables of this shell.
  "$@" > >(tee "$log") 2>&1 || code=$?
  wait $! || true
  if ((code != 0)); then
    say "== what failed"
    grep -aE '✘ |↳|: error: |Fatal error|ERROR: |SUMMARY: |WARNING: Thread' "$log" | cut -c1-800 | tail -n 80 >&2 || true
  fi
  rm -f "$log"
  return "$code"
}
print_stages() { printf '%s\n' "${stages[@]}" >&2; }
