/** A scenario of the comparison with dockerd: one shell line, whose output and status must be the same on both engines. */

export interface Scenario {
  line: string;
  /** Why Netyard's result differs. */
  differs?: string;
}

export interface ScenarioGroup {
  title: string;
  /** Lines that prepare the hosts. Scenarios of a group depend on nothing else, except on scenarios with effects before them. */
  setUp: readonly string[];
  scenarios: readonly (string | Scenario)[];
  /** Part of the short run of `script/test`. */
  short?: true;
}

/** Reasons of several scenarios. */
export const reasons = {
  gateway: 'shows the gateway that was allocated, Docker only one that was given',
  newer: 'the text of versions after 28',
  goTypes: 'Netyard has no Go types that it could name',
  order: 'interfaces are ordered by gateway priority and name of the network, in Docker at random',
  address: 'an address that was released is used last',
  dangling: 'lists of Docker 28 count no running containers',
  networkId: 'shows the network that a container will join before its first start',
  bridgeAddress: 'the default bridge accepts static addresses',
  stopped: 'a stopped container has no names',
  ids: 'containers are sorted by their ids, which are random',
  early: 'an unknown network is rejected at once, not when the container starts',
} as const;

export const differs = (line: string, reason: string): Scenario => ({ line, differs: reason });

/**
 * Functions for the lines. `api METHOD PATH [BODY]` prints the answer and its status, `try BODY` and `created ARGS` create
 * a network by the API and by the command, show and remove it. `names`, `names6` and `named` ask a container's name server:
 * the image netyard-test has no getent.
 */
export const functions = `
api() {
  curl -s --max-time 60 --unix-socket /run/netyard/netyard.sock -X "$1" -H 'Content-Type: application/json' \
    \${3+-d "$3"} -w '\\n%{http_code}\\n' "http://docker/v$API$2"
}
try() {
  answer=$(api POST /networks/create "$1")
  echo "$answer"
  case $answer in *'"Id":"'*) ;; *) return 0 ;; esac
  id=$(echo "$answer" | head -n 1 | jq -r .Id)
  api GET "/networks/$id"
  api DELETE "/networks/$id"
}
created() {
  docker network create "$@" || return
  for last; do :; done
  docker network inspect "$last"
  docker network rm "$last"
}
start() {
  name=$1
  shift
  docker run -d --name "$name" "$@" netyard-test sleep 1000
}
committed() {
  docker commit "$@" made made:1 || return
  docker image inspect made:1 | jq -S '.[0].Config | with_entries(select(.value != null and .value != "" and .value != {}))'
  docker image rm made:1
}
inspected() {
  docker create --name shown "$@" netyard-test sleep 9 > /dev/null || return
  docker inspect shown | jq -S '.[0] | del(.GraphDriver, .AppArmorProfile, .LogPath, .ResolvConfPath, .HostnamePath, .HostsPath,
    .HostConfig.Runtime, .Mounts[]?.Source, .NetworkSettings.Networks[]?.NetworkID) | .Mounts |= sort_by(.Destination)'
  docker rm -v shown > /dev/null
}
mounts() {
  docker create --name mounted "$@" netyard-test > /dev/null || return
  docker inspect mounted | jq -S '.[0] | .HostConfig.Binds, .HostConfig.Mounts, (.Mounts | sort_by(.Destination)[] | del(.Source))'
  docker rm -v mounted > /dev/null
}
shown() { docker network inspect -f "$2" "$1"; }
settings() {
  docker inspect "$1" | jq -S '.[0].NetworkSettings | del(.SandboxID, .SandboxKey)'
}
addresses() { docker exec "$1" ip -o -4 address | awk '{ print $2, $4 }'; }
answers() { docker exec "$1" nslookup -type="$2" "$3" | awk '/^Address: / { print $2 }' | sort -u; }
names() { answers "$1" a "$2"; }
names6() { answers "$1" aaaa "$2"; }
named() { docker exec "$1" nslookup "$2" | grep -o 'name = .*'; }
`;
