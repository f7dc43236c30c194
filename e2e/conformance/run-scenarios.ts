/** Scenarios of containers that run: namespaces, mounts, limits that are changed, health checks. */
import { differs, type ScenarioGroup } from './scenario.ts';

const run = (options: string, command: string): string => `docker run --rm ${options} netyard-test sh -c '${command}'`;
/** A folder of the host with a file system below it; both hosts share the rest of /tmp. */
const withMountBelow = (line: string): string =>
  `dir=$(mktemp -d); mkdir $dir/below; mount -t tmpfs none $dir/below; ${line}; umount $dir/below; rm -r $dir`;
const writes = 'touch /x/below/file 2> /dev/null && echo writable || echo read-only';
const update = (options: string): string => `docker update ${options} limited`;

export const runScenarios: readonly ScenarioGroup[] = [
  {
    title: 'run: namespaces',
    short: true,
    setUp: [],
    scenarios: [
      ...['host', 'none', 'private', 'shareable'].map((mode) =>
        run(`--ipc ${mode}`, 'mount | grep -E "mqueue|shm" | sed "s/size=.*//" | sort; ls -d /dev/shm /dev/mqueue'),
      ),
      'docker run --rm --isolation hyperv netyard-test true',
      'docker run --rm --tmpfs /x:foo netyard-test true',
    ],
  },
  {
    title: 'run: read-only mounts',
    short: true,
    setUp: ['docker volume create data > /dev/null'],
    scenarios: [
      withMountBelow(run('-v $dir:/x', writes)),
      withMountBelow(run('-v $dir:/x:ro', writes)),
      withMountBelow(run('--mount type=bind,src=$dir,dst=/x,readonly', writes)),
      withMountBelow(run('--mount type=bind,src=$dir,dst=/x,readonly,bind-recursive=writable', writes)),
      withMountBelow(
        run('--mount type=bind,src=$dir,dst=/x,readonly,bind-recursive=readonly,bind-propagation=rprivate', writes),
      ),
      withMountBelow(run('--mount type=bind,src=$dir,dst=/x,readonly,bind-recursive=disabled', writes)),
      run('-v data:/x:ro', 'touch /x/file'),
      run('-v /etc/passwd:/x:ro', 'touch /x; head -n 1 /x'),
      run('--mount type=bind,src=/dev/null,dst=/x,readonly', 'cat /x'),
      "docker create --name shown --mount type=bind,src=/run,dst=/x,readonly,bind-recursive=readonly,bind-propagation=rprivate netyard-test > /dev/null; docker inspect -f '{{json .HostConfig.Mounts}}' shown; docker rm shown",
    ],
  },
  {
    title: 'run: propagation of mounts',
    short: true,
    setUp: [],
    scenarios: [
      ...['/', '/var/lib', '/usr'].map(
        (path) =>
          `docker create --name bound -v ${path}:/x netyard-test ls -d /x/..; docker inspect -f '{{(index .Mounts 0).Propagation}}' bound; docker start -a bound; docker rm bound`,
      ),
      differs(
        'docker run --rm -v /:/x:rprivate netyard-test true',
        'the mounts of containers are not in those of the host',
      ),
      ...['rshared', 'shared', 'rslave', 'slave', 'rprivate'].flatMap((mode) => [
        `docker run --rm -v /usr:/x:${mode} netyard-test true`,
        `dir=$(mktemp -d /run/XXXXXX); mount -t tmpfs none $dir; mount --make-shared $dir; mkdir $dir/a; docker run --rm --mount type=bind,src=$dir/a,dst=/x,bind-propagation=${mode} netyard-test sh -c 'grep " /x " /proc/self/mountinfo | cut -d " " -f 7 | cut -d : -f 1'; umount $dir; rmdir $dir`,
      ]),
    ],
  },
  {
    title: 'run: parts of volumes',
    short: true,
    setUp: [
      'docker volume create data > /dev/null',
      run(
        '-v data:/v',
        'cd /v; mkdir -p s/t; echo x > s/t/f; ln -s /etc absolute; ln -s s/t inside; ln -s ../.. outside',
      ),
    ],
    scenarios: [
      ...['s/t', 's/t/f', 'inside', 's/../s', '.', '', 'none', '../data', '/s', 'absolute', 'outside'].map(
        (path) =>
          `docker run --rm --mount type=volume,src=data,dst=/x,volume-subpath=${path} netyard-test find /x 2>&1 | sed 's#/[^ ]*/volumes#VOLUMES#g'`,
      ),
      'docker run --rm --mount type=volume,src=data,dst=/x/y,volume-subpath=s/t,ro netyard-test touch /x/y/f',
      'docker run --rm --mount type=volume,src=data,dst=/x,volume-subpath=s/t/f,ro netyard-test cat /x',
      'docker run --rm --mount type=volume,dst=/x,volume-subpath=s netyard-test true',
      `docker create --name part --mount type=volume,src=data,dst=/x,volume-subpath=s/t netyard-test cat /x/g > /dev/null; docker inspect part | jq -cS '.[0] | .HostConfig.Mounts, (.Mounts[0] | del(.Source))'; docker cp part:/x - | tar -t; echo copied > /tmp/g.$$; docker cp -q /tmp/g.$$ part:/x/g; docker start -a part; docker run --rm --volumes-from part netyard-test ls /x; docker rm part; rm /tmp/g.$$`,
      'mount | grep -c subpath',
    ],
  },
  {
    title: 'update',
    short: true,
    setUp: ['start limited -m 64m --cpus 1'],
    scenarios: [
      update('-m 128m'),
      update('-m 128m --memory-swap 256m'),
      update('--memory-reservation 200m'),
      update('--cpu-quota 5000'),
      update('--cpu-period 5000'),
      update('--cpu-period 5'),
      update('--cpuset-cpus 99'),
      update('-m 1m'),
      update('--restart nosuch'),
      update('--restart on-failure:2 --pids-limit 20'),
      'docker inspect limited | jq -cS ".[0].HostConfig | {Memory, MemorySwap, MemoryReservation, NanoCpus, CpuQuota, PidsLimit, RestartPolicy}"',
      `api POST /containers/none/update '{"Memory":1}'`,
      `api POST /containers/none/update '{"Memory":100000000}'`,
      differs(
        'start unlimited > /dev/null; docker update -m 64m unlimited; docker rm -f unlimited',
        'a memory limit is set without one for swap, which Docker requires',
      ),
    ],
  },
  {
    title: 'health checks',
    short: true,
    setUp: [
      "start checked --health-cmd 'echo out; yes x | head -c 10000' --health-interval 200ms > /dev/null; for i in $(seq 100); do [ $(docker inspect -f '{{.State.Health.Status}}' checked) = starting ] || break; sleep 0.1; done",
    ],
    scenarios: ["docker inspect checked | jq -c '.[0].State.Health | .Status, (.Log[0].Output | length, .[-8:])'"],
  },
];
