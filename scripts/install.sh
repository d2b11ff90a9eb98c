#!/bin/sh
# Installs postgres-mcp, prometheus-mcp, kubernetes-mcp or platform-mcp for the current user.
#
#   sh install.sh [PROGRAM...]      default: platform-mcp
#
# MCP_VERSION    a version other than the one this script came with
# MCP_RELEASES   where that version's archives and SHA256SUMS are, instead of the project's releases
# MCP_BIN        where to install, instead of ~/.local/bin
set -eu

# A released copy of this script has both filled in.
default_releases=""
default_version=""

version=${MCP_VERSION:-$default_version}
releases=${MCP_RELEASES:-${default_releases:+$default_releases/v$version}}
bin=${MCP_BIN:-${HOME:?HOME is not set: name the folder in MCP_BIN}/.local/bin}

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 1
}

# A function, so that a script that was cut while it was downloaded runs no part of itself.
main() {
  [ -n "$releases" ] || fail "set MCP_RELEASES to the address of a release, or use the install.sh that comes with one"
  [ -n "$version" ] || fail "set MCP_VERSION to the version to install, such as 0.1.0"

  case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=macos ;;
    *) fail "there is no build for $(uname -s): on Windows, unpack the .zip of the release" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) fail "there is no build for $(uname -m)" ;;
  esac
  if [ "$system" = linux ] && ! ls /lib*/ld-linux-* /usr/lib*/ld-linux-* >/dev/null 2>&1; then
    fail "these builds need the GNU C library, which this system does not seem to have (Alpine uses musl)"
  fi

  if command -v curl >/dev/null 2>&1; then
    fetch() { curl --fail --silent --show-error --location --retry 2 --output "$2" "$1"; }
  elif command -v wget >/dev/null 2>&1; then
    fetch() { wget --quiet --output-document "$2" "$1"; }
  else
    fail "neither curl nor wget is installed"
  fi
  if command -v sha256sum >/dev/null 2>&1; then
    checksum() { sha256sum "$1" | cut -d ' ' -f 1; }
  elif command -v shasum >/dev/null 2>&1; then
    checksum() { shasum -a 256 "$1" | cut -d ' ' -f 1; }
  else
    fail "neither sha256sum nor shasum is installed, and nothing is installed without its checksum"
  fi

  workshop=$(mktemp -d)
  beside=""
  trap 'rm -rf "$workshop" "$beside"' EXIT
  trap 'exit 1' HUP INT TERM

  [ $# -gt 0 ] || set -- platform-mcp
  for program in "$@"; do
    case $program in
      postgres-mcp | prometheus-mcp | kubernetes-mcp | platform-mcp) ;;
      *) fail "there is no $program: the programs are postgres-mcp, prometheus-mcp, kubernetes-mcp, platform-mcp" ;;
    esac
  done

  fetch "$releases/SHA256SUMS" "$workshop/SHA256SUMS" || fail "cannot download SHA256SUMS from $releases"
  mkdir -p "$bin"
  for program in "$@"; do
    title=$program-$version-$system-$machine
    printf 'Downloading %s.tar.gz\n' "$title"
    expected=$(awk -v file="$title.tar.gz" '$2 == file { print $1 }' "$workshop/SHA256SUMS")
    [ -n "$expected" ] || fail "SHA256SUMS does not list $title.tar.gz"
    fetch "$releases/$title.tar.gz" "$workshop/$title.tar.gz" || fail "cannot download $title.tar.gz from $releases"
    [ "$(checksum "$workshop/$title.tar.gz")" = "$expected" ] ||
      fail "the checksum of $title.tar.gz is not the one in SHA256SUMS: nothing was installed"
    tar -xzf "$workshop/$title.tar.gz" -C "$workshop" "$title/$program" || fail "cannot unpack $title.tar.gz"
    chmod 755 "$workshop/$title/$program"
    "$workshop/$title/$program" --version >/dev/null || fail "$program does not run on this machine"
    # Beside its place first, so that a program that is running is replaced whole or not at all.
    beside=$bin/.$program.$$
    cp "$workshop/$title/$program" "$beside"
    mv -f "$beside" "$bin/$program"
    printf 'Installed %s (%s)\n' "$bin/$program" "$("$bin/$program" --version)"
  done

  case :${PATH:-}: in
    *":$bin:"*) ;;
    *) printf '%s is not on PATH. Clients do not need it there: they are configured with the full path.\n' "$bin" ;;
  esac
  printf '\nNext, with the variables of your backends set (see --help):\n'
  for program in "$@"; do
    printf '  %s --check\n  %s --print-config claude-code\n' "$bin/$program" "$bin/$program"
  done
}

main "$@"
