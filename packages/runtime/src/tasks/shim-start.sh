#!/bin/sh
# What containerd calls as the containers' shim: `… -namespace NS -address SOCKET -id ID … start` or `… delete`
# (containerd's runtime v2 README, "Commands"). Copied to a place of its own by shim-starter.ts.
#
# start: the daemon has started the shim already; containerd only needs the address of its socket.
# delete: containerd asks for this after every end of a shim, also an orderly one, and what the usual shim then does
#   costs as much as half a start. When the OCI runtime has no state of the container, there is nothing to do.
# Everything else, and whatever was not prepared, is the usual shim's.
id='' address='' previous=''
for word; do
  case $previous in
  -id) id=$word ;;
  -address) address=$word ;;
  esac
  previous=$word
done
home=${address%/*}/shims/$id

case $previous in
probe) exit 0 ;;
start)
  # The working folder is containerd's for this container. It reads the socket's address there after a restart.
  if { read -r socket || [ -S "${socket#unix://}" ]; } <"$home/address" && read -r state <"$home/state"; then
    printf '%s\n' "$state" >runtime-state
    printf %s "$socket" >address
    printf %s "$socket"
    exit 0
  fi 2>/dev/null
  ;;
delete)
  if read -r state <runtime-state && [ ! -e "$state" ]; then exit 0; fi 2>/dev/null
  ;;
esac
exec containerd-shim-runc-v2 "$@"
