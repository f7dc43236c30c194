/**
 * Compares output and status of the same commands on Netyard and on Debian's dockerd, with ids and times normalized.
 * Commands for which Docker 20.10 differs from later versions, which Netyard follows, are in other files.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const skip = cannotRun('netyard') || cannotRun('dockerd');

/** Replaces values that may differ. */
function normalize(text: string): string {
  return text
    .replace(/sha256:[0-9a-f]{64}/g, '<digest>')
    .replace(/\b[0-9a-f]{64}\b/g, '<id>')
    .replace(/\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}\b/g, '<short>')
    .replace(/\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)/g, '<time>')
    .replace(/(About )?(\d+|an?|Less than a) (second|minute)s?( ago)?/gi, '<while>')
    .replace(/, (:::|\[::\]:)\d+->\d+\/\w+/g, '') // Netyard publishes no IPv6 yet
    .replace(/^.*-> (\[::\]|::):\d+\n/gm, '');
}

/** Commands in order; each depends on those before. `!` marks commands that must fail. */
const lines: readonly string[] = [
  'docker network ls --format "{{.Name}} {{.Driver}} {{.Scope}}"',
  `docker network inspect bridge -f '{{.IPAM.Driver}} {{(index .IPAM.Config 0).Subnet}} {{.Internal}} {{.Attachable}} {{json .Options}}'`,
  '! docker network inspect nothing',
  'docker images --format "{{.Repository}}:{{.Tag}}" | sort',
  'docker run -d --name aa -p 8801:80 -p 127.0.0.1:8802:81/udp -e COLOR=blue --label team=x nginx-app01 nginx',
  'docker run -d --name bb --link aa --link aa:web --hostname bee --add-host db:10.0.0.9 netyard-test sleep 1000',
  'docker exec aa cat /etc/hosts /etc/hostname',
  'docker exec bb cat /etc/hostname',
  'docker exec bb sort /etc/hosts',
  'docker exec aa ip route',
  'docker exec aa cat /sys/class/net/eth0/address',
  'docker exec bb ping -c 1 -W 30 web > /dev/null && docker exec aa wget -qO- http://127.0.0.1/ | head -n 2',
  `docker ps --format '{{.Names}} {{.Image}} {{.Command}} {{.Ports}} {{.Status}}' --filter name=b`,
  `docker ps --format '{{.Image}} {{.Ports}}' --filter label=team=x`,
  'docker ps -aq --filter status=exited',
  'docker port aa | sort',
  'docker port aa 80/tcp | head -n 1',
  '! docker port aa 99',
  `docker inspect -f '{{json .HostConfig.PortBindings}} {{json .HostConfig.RestartPolicy}}' aa`,
  `docker inspect -f '{{.Config.Hostname}} {{json .Config.Cmd}} {{json .Config.ExposedPorts}} {{json .Config.Labels}}' aa`,
  `docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.Error}}' aa`,
  `docker inspect -f '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.IPPrefixLen}} {{.NetworkSettings.Gateway}} {{.NetworkSettings.MacAddress}}' aa bb`,
  `docker inspect -f '{{range $name, $net := .NetworkSettings.Networks}}{{$name}} {{$net.IPAddress}} {{$net.Gateway}}{{end}}' aa bb`,
  `docker inspect -f '{{.Path}} {{json .Args}} {{.RestartCount}} {{.Driver}} {{.Platform}}' bb`,
  '! docker inspect absent',
  'docker exec -e SHAPE=round -w /tmp aa sh -c "echo $SHAPE; pwd; env | sort | grep -E COLOR"',
  'docker exec -u 33 aa id -u',
  '! docker exec aa sh -c "exit 9"',
  'docker top bb -eo pid,comm | tail -n +2 | sed "s/^ *[0-9]* //"',
  'docker rename bb cc',
  '! docker rename absent dd',
  'docker pause cc && docker inspect -f "{{.State.Status}}" cc',
  '! docker exec cc true',
  'docker unpause cc && docker inspect -f "{{.State.Status}}" cc',
  'echo hello | docker run -i --rm netyard-test cat',
  '! docker run --rm netyard-test sh -c "echo out; echo err >&2; exit 3"',
  'docker run --rm -u 1000:1000 netyard-test id',
  'docker run --rm -w /made/here netyard-test pwd',
  'docker run --rm -m 64m netyard-test true',
  '! docker run --rm --read-only netyard-test touch /x',
  '! docker run --rm --cap-drop ALL netyard-test chown 1 /etc/passwd',
  'docker run --rm netyard-test sh -c "grep -E ^Cap /proc/self/status; grep Seccomp: /proc/self/status"',
  '! docker run --rm netyard-test mount -t tmpfs x /mnt',
  'docker run --rm --tmpfs /t:size=1m netyard-test sh -c "grep -c \' /t tmpfs\' /proc/mounts"',
  '! docker run --rm -v /etc/hostname:/h:ro netyard-test sh -c "cat /h; echo x > /h"',
  '! docker run --name short netyard-test sh -c "echo one; sleep 0.2; echo two; exit 4"',
  'docker logs short; docker logs --tail 1 short',
  'docker wait short',
  'docker diff short',
  '! docker start -a short',
  'docker ps -a --format "{{.Names}} {{.Status}}" --filter exited=4',
  '! docker kill short',
  'docker stop -t 0 cc; docker inspect -f "{{.State.ExitCode}}" cc',
  'docker kill -s TERM aa && docker wait aa > /dev/null; docker inspect -f "{{.State.Status}}" aa',
  '! docker rm aa cc short absent',
  'docker create --name made netyard-test true; docker cp /etc/debian_version made:/copied && docker cp made:/copied - | tar -xO',
  'docker create --name worker -w /made/at/create netyard-test true; docker cp worker:/made - | tar -tv --numeric-owner | awk "{print \\$1, \\$2, \\$6}"; docker rm worker',
  '! docker create --name bad-folder -w /etc/passwd netyard-test true; docker rm bad-folder',
  '! docker cp made:/not/there /tmp',
  'docker rm made',
  'docker tag netyard-test other:v1 && docker images --format "{{.Repository}}:{{.Tag}}" | sort',
  'docker rmi other:v1',
  '! docker rmi nosuch',
  `docker history --format '{{.CreatedBy}} {{.Size}}' netyard-test`,
  `docker image inspect -f '{{json .Config.Cmd}} {{json .Config.Env}} {{.Os}} {{len .RootFS.Layers}}' nginx-app01`,
  'docker volume create v1 && docker run --rm -v v1:/v netyard-test sh -c "echo kept > /v/file" && docker run --rm -v v1:/v netyard-test cat /v/file',
  '! docker volume ls --format "{{.Name}} {{.Driver}}"; docker volume rm v1; docker volume rm v1',
  'docker info -f "{{.Containers}} {{.ContainersRunning}} {{.Images}}"',
];

describe('the same output as dockerd', { skip }, () => {
  let netyard: TestHost;
  let dockerd: TestHost;
  before(async () => {
    const options = { images: ['nginx-app01', 'netyard-test'] as const };
    [netyard, dockerd] = await Promise.all([openHost('netyard', options), openHost('dockerd', options)]);
  });
  after(async () => {
    await Promise.all([netyard?.close(), dockerd?.close()]);
  });

  for (const line of lines)
    test(line, async () => {
      const [ours, theirs] = await Promise.all(
        [netyard, dockerd].map((host) => host.run(['sh', '-c', line.replace(/^! /, '')])),
      );
      assert.ok(ours && theirs);
      const mustFail = line.startsWith('! ');
      assert.equal(theirs.status !== 0, mustFail, `dockerd: status ${theirs.status}: ${theirs.stderr}`);
      const resultOf = ({ status, stdout }: typeof ours): string => `${normalize(stdout)}status ${status}`;
      assert.equal(
        resultOf(ours),
        resultOf(theirs),
        `stderr of netyard: ${ours.stderr}\nstderr of dockerd: ${theirs.stderr}`,
      );
    });
});
