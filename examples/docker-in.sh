#!/usr/bin/env bash
# The tutorial's helper: opens a shell in a running container, or runs the command lines of standard input there.
#
#   bash docker-in.sh nginx-3
#   echo 'cat /etc/hosts' | bash docker-in.sh nginx-3
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: bash ${0##*/} CONTAINER" >&2
  exit 2
fi

options=(-i)
if [ -t 0 ] && [ -t 1 ]; then options+=(-t); fi
# Images without bash have sh. With -i alone bash would print no prompt and no job-control warning.
exec docker exec "${options[@]}" "$1" sh -c 'if command -v bash >/dev/null; then exec bash; else exec sh; fi'
