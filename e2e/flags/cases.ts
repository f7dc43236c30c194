/**
 * The expected effect of each flag of the docker command. Probes of cgroups read version 1. `$B` stands for a block device
 * of the host, `$T` for a folder of files, `$I` for the image; `target` is a running container with a volume at /data.
 */
import type { FlagCommand } from '@netyard/api-types';

export type Engine = 'netyard' | 'dockerd';

export type Case = {
  /** The only engine that has the flag: dockerd 20.10 has API 1.41. */
  only?: Engine;
} & (
  | /** Flags, a command in the container and its output. Shares a container with other cases unless `alone`. */
  { kind: 'inside'; flags: string; probe: string; prints: string | RegExp; alone?: true }
  /** The value of the flag's field in inspect. */
  | { kind: 'inspected'; flags: string; value: unknown }
  /** A shell command on the host and its output. */
  | { kind: 'line'; line: string; prints: string | RegExp }
  /** The command fails with this message. */
  | { kind: 'rejected'; flags: string; message: RegExp }
  /** The command succeeds with this warning. */
  | { kind: 'warned'; flags: string; message: RegExp }
);

const inside = (flags: string, probe: string, prints: string | RegExp): Case => ({
  kind: 'inside',
  flags,
  probe,
  prints,
});
const alone = (flags: string, probe: string, prints: string | RegExp): Case => ({
  ...{ kind: 'inside', flags, probe, prints },
  alone: true,
});
const inspected = (flags: string, value: unknown): Case => ({ kind: 'inspected', flags, value });
const line = (text: string, prints: string | RegExp): Case => ({ kind: 'line', line: text, prints });
const rejected = (flags: string, message: RegExp): Case => ({ kind: 'rejected', flags, message });
const warned = (flags: string, message: RegExp): Case => ({ kind: 'warned', flags, message });
const onNetyard = (one: Case): Case => ({ ...one, only: 'netyard' });
const onDockerd = (one: Case): Case => ({ ...one, only: 'dockerd' });

const cgroup = (controller: string, file: string): string => `cat /sys/fs/cgroup/${controller}/${controller}.${file}`;
const hasCapability = (bit: number): string =>
  `echo $(( (0x$(grep CapEff /proc/self/status | cut -f2) >> ${bit}) & 1 ))`;
const windowsOnly = /only supported on a Docker daemon running on windows/;
const seconds = 1_000_000_000;
/** dockerd rejects any address on the default bridge, Netyard one of another subnet. */
const userDefinedOnly =
  /user.specified IP address is supported on user.defined networks only|no configured subnet contains IP address fd00::9/;

/** Prints which of two nested mounts of the host a container has. */
const mountsBelow = (options: string): string =>
  'mkdir -p $T/upper; mount -t tmpfs upper $T/upper; mount --make-shared $T/upper; ' +
  'mkdir $T/upper/lower; mount -t tmpfs lower $T/upper/lower; ' +
  `docker run --rm --mount type=bind,src=$T/upper,dst=/upper,${options} $I grep -o ' /upper[^ ]*' /proc/mounts; ` +
  'umount $T/upper/lower $T/upper';

const creating: Readonly<Record<string, readonly Case[]>> = {
  'add-host': [inside('--add-host db:10.1.2.3', 'grep -w db /etc/hosts', '10.1.2.3\tdb')],
  annotation: [onNetyard(inspected('--annotation a=b', { a: 'b' }))],
  attach: [inspected('--attach stdin', true)],
  'blkio-weight': [warned('--blkio-weight 100', /does not support Block I\/O weight or the cgroup/)],
  'blkio-weight-device': [warned('--blkio-weight-device $B:100', /does not support Block I\/O weight_device/)],
  'cap-add': [inside('--cap-add SYS_TIME', hasCapability(25), '1')],
  'cap-drop': [inside('--cap-drop AUDIT_WRITE', hasCapability(29), '0')],
  'cgroup-parent': [inspected('--cgroup-parent /flags', '/flags')],
  cgroupns: [inspected('--cgroupns private', 'private')],
  cidfile: [
    line(
      'rm -f $T/id; docker create --cidfile $T/id $I true > $T/printed; tr -d "\\n" < $T/printed | cmp - $T/id && echo same',
      'same',
    ),
  ],
  'cpu-count': [rejected('--cpu-count 1', windowsOnly)],
  'cpu-percent': [rejected('--cpu-percent 1', windowsOnly)],
  'cpu-period': [inside('--cpu-period 50000', cgroup('cpu', 'cfs_period_us'), '50000')],
  'cpu-quota': [inside('--cpu-quota 20000', cgroup('cpu', 'cfs_quota_us'), '20000')],
  'cpu-rt-period': [inspected('--cpu-rt-period 900000', 900_000)],
  'cpu-rt-runtime': [inspected('--cpu-rt-runtime 1000', 1000)],
  'cpu-shares': [inside('--cpu-shares 512', cgroup('cpu', 'shares'), '512')],
  cpus: [alone('--cpus 0.5', cgroup('cpu', 'cfs_quota_us'), '50000')],
  'cpuset-cpus': [inside('--cpuset-cpus 0', cgroup('cpuset', 'cpus'), '0')],
  'cpuset-mems': [inside('--cpuset-mems 0', cgroup('cpuset', 'mems'), '0')],
  device: [inside('--device /dev/zero:/dev/zero2', 'ls -l /dev/zero2', / 1, {3}5 /)],
  'device-cgroup-rule': [
    inside("--device-cgroup-rule 'c 10:200 rwm'", 'grep "10:200" /sys/fs/cgroup/devices/devices.list', 'c 10:200 rwm'),
  ],
  'device-read-bps': [inside('--device-read-bps $B:1mb', cgroup('blkio', 'throttle.read_bps_device'), /:\d+ 1048576$/)],
  'device-read-iops': [inside('--device-read-iops $B:30', cgroup('blkio', 'throttle.read_iops_device'), /:\d+ 30$/)],
  'device-write-bps': [
    inside('--device-write-bps $B:2mb', cgroup('blkio', 'throttle.write_bps_device'), /:\d+ 2097152$/),
  ],
  'device-write-iops': [inside('--device-write-iops $B:40', cgroup('blkio', 'throttle.write_iops_device'), /:\d+ 40$/)],
  'disable-content-trust': [inside('--disable-content-trust', 'echo runs', 'runs')],
  dns: [inside('--dns 10.9.8.7', 'grep nameserver /etc/resolv.conf', 'nameserver 10.9.8.7')],
  'dns-option': [inside('--dns-option ndots:3', 'grep options /etc/resolv.conf', /ndots:3/)],
  'dns-search': [inside('--dns-search dom.ain', 'grep search /etc/resolv.conf', 'search dom.ain')],
  domainname: [inside('--domainname dom.ain', 'cat /proc/sys/kernel/domainname', 'dom.ain')],
  entrypoint: [line('docker run --rm --entrypoint /bin/echo $I hello', 'hello')],
  env: [inside('--env COLOR=blue', 'echo $COLOR', 'blue')],
  'env-file': [inside('--env-file $T/env', 'echo $SHAPE', 'round')],
  expose: [inspected('--expose 8080', { '8080/tcp': {} })],
  gpus: [
    line('docker run --rm --gpus all $I true 2>&1', /could not select device driver "" with capabilities: \[\[gpu\]\]/),
  ],
  'group-add': [inside('--group-add 777', 'id -G', /\b777\b/)],
  'health-cmd': [inspected('--health-cmd true', ['CMD-SHELL', 'true'])],
  'health-interval': [inspected('--health-cmd true --health-interval 5s', 5 * seconds)],
  'health-retries': [inspected('--health-cmd true --health-retries 4', 4)],
  'health-start-interval': [onNetyard(inspected('--health-cmd true --health-start-interval 2s', 2 * seconds))],
  'health-start-period': [inspected('--health-cmd true --health-start-period 3s', 3 * seconds)],
  'health-timeout': [inspected('--health-cmd true --health-timeout 6s', 6 * seconds)],
  hostname: [inside('--hostname bee', 'cat /etc/hostname', /^bee/)],
  init: [inspected('--init', true)],
  interactive: [line('echo piped | docker run --rm --interactive $I cat', 'piped')],
  'io-maxbandwidth': [rejected('--io-maxbandwidth 1', windowsOnly)],
  'io-maxiops': [rejected('--io-maxiops 1', windowsOnly)],
  ip: [
    onDockerd(line('docker run --rm --ip 172.17.0.99 $I true 2>&1', userDefinedOnly)),
    onNetyard(line('docker run --rm --ip 172.17.0.99 $I ip addr', /inet 172\.17\.0\.99\/16/)),
    line('docker run --rm --network front --ip 10.77.0.98 $I ip addr', /inet 10\.77\.0\.98\/16/),
  ],
  ip6: [line('docker run --rm --ip6 fd00::9 $I true 2>&1', userDefinedOnly)],
  ipc: [inspected('--ipc host', 'host')],
  isolation: [
    inspected('--isolation default', 'default'),
    rejected('--isolation hyperv', /[Ii]nvalid isolation(: "hyperv" -| \(hyperv\):) linux only supports 'default'/),
  ],
  'kernel-memory': [
    line('DOCKER_API_VERSION=1.41 docker create --kernel-memory 50m $I true 2>&1', /WARNING: .*ernel memory/),
  ],
  label: [inspected('--label team=x', { team: 'x' })],
  'label-file': [inspected('--label-file $T/labels', { tier: 'web' })],
  link: [inside('--link target:other', 'grep -c other /etc/hosts', '1')],
  'link-local-ip': [inside('--link-local-ip 169.254.1.5', 'ip addr show eth0 | grep 169', /inet 169\.254\.1\.5\/16/)],
  'log-driver': [inspected('--log-driver none', 'none')],
  'log-opt': [inspected('--log-driver json-file --log-opt max-size=1m', { 'max-size': '1m' })],
  // The docker command 28 moves it to the endpoint and prints that this needs API 1.44.
  'mac-address': [
    onNetyard(inside('--mac-address 02:42:ac:11:00:77', 'cat /sys/class/net/eth0/address', '02:42:ac:11:00:77')),
  ],
  memory: [inside('--memory 64m', cgroup('memory', 'limit_in_bytes'), '67108864')],
  'memory-reservation': [inside('--memory-reservation 32m', cgroup('memory', 'soft_limit_in_bytes'), '33554432')],
  'memory-swap': [inside('--memory 64m --memory-swap 128m', cgroup('memory', 'memsw.limit_in_bytes'), '134217728')],
  'memory-swappiness': [inside('--memory-swappiness 10', cgroup('memory', 'swappiness'), '10')],
  mount: [
    inside('--mount type=tmpfs,dst=/mounted', 'grep -c " /mounted tmpfs" /proc/mounts', '1'),
    ...['', ',bind-propagation=rslave'].flatMap((more) => [
      line(mountsBelow(`bind-recursive=disabled${more}`), '/upper'),
      line(mountsBelow(`bind-recursive=enabled${more}`), '/upper\n /upper/lower'),
    ]),
    onNetyard(line(mountsBelow('ro,bind-recursive=writable'), '/upper\n /upper/lower')),
    onNetyard(line(mountsBelow('ro,bind-recursive=readonly,bind-propagation=rprivate'), '/upper\n /upper/lower')),
    rejected('--mount type=bind,src=/tmp,dst=/b,bind-recursive=writable', /requires 'readonly' to be specified/),
    rejected('--mount type=bind,src=/tmp,dst=/b,ro,bind-recursive=never', /invalid value for bind-recursive: never/),
  ],
  name: [line("docker create --name named $I true > /dev/null; docker inspect -f '{{.Name}}' named", '/named')],
  network: [
    alone('--network none', 'ls /sys/class/net', 'lo'),
    line('docker run --rm --network front $I ip addr', /inet 10\.77\./),
    onNetyard(
      line('docker run --rm --network name=front,ip=10.77.0.97 --network bridge $I true 2>&1', /cannot attach both/),
    ),
  ],
  'network-alias': [
    rejected('--network-alias other', /only supported for user-defined networks/),
    line(
      "docker create --name aliased --network front --network-alias other $I true > /dev/null; docker inspect -f '{{index .NetworkSettings.Networks.front.Aliases 0}}' aliased; docker rm aliased > /dev/null",
      'other',
    ),
  ],
  'no-healthcheck': [inspected('--no-healthcheck', ['NONE'])],
  'oom-kill-disable': [
    inside('--oom-kill-disable', 'grep disable /sys/fs/cgroup/memory/memory.oom_control', 'oom_kill_disable 1'),
  ],
  'oom-score-adj': [inside('--oom-score-adj 500', 'cat /proc/self/oom_score_adj', '500')],
  pid: [alone('--pid container:target', 'cat /proc/1/cmdline | tr "\\0" " "', /sleep 1000/)],
  'pids-limit': [inside('--pids-limit 50', cgroup('pids', 'max'), '50')],
  platform: [rejected('--pull never --platform linux/s390x', /does not match the specified platform/)],
  privileged: [inspected('--privileged', true)],
  publish: [inspected('--publish 127.0.0.1:8099:80', { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8099' }] })],
  'publish-all': [inspected('--publish-all', true)],
  pull: [line('docker create --pull never nosuch true 2>&1', /No such image: nosuch:latest/)],
  quiet: [inside('--quiet', 'echo runs', 'runs')],
  'read-only': [alone('--read-only', 'touch /x 2> /dev/null || echo rejected', 'rejected')],
  restart: [inspected('--restart on-failure:3', { Name: 'on-failure', MaximumRetryCount: 3 })],
  rm: [line('docker run --rm --name gone $I true; docker inspect gone 2>&1', /No such object: gone/)],
  runtime: [inspected('--runtime runc', 'runc')],
  'security-opt': [
    inside('--security-opt no-new-privileges', 'grep NoNewPrivs /proc/self/status', 'NoNewPrivs:\t1'),
    onNetyard(warned('--security-opt label=type:svirt_t', /SELinux labels are not supported\. Label discarded\./)),
  ],
  'shm-size': [inside('--shm-size 8m', 'grep /dev/shm /proc/mounts', /size=8192k/)],
  'stop-signal': [inspected('--stop-signal SIGUSR1', 'SIGUSR1')],
  'stop-timeout': [inspected('--stop-timeout 7', 7)],
  'storage-opt': [rejected('--storage-opt size=1G', /--storage-opt is supported only for overlay over xfs/)],
  sysctl: [inside('--sysctl net.core.somaxconn=77', 'cat /proc/sys/net/core/somaxconn', '77')],
  tmpfs: [inside('--tmpfs /temporary:size=1m', 'grep " /temporary " /proc/mounts', /size=1024k/)],
  tty: [alone('--tty', 'tty', /^\/dev\/pts\/\d+/)],
  ulimit: [inside('--ulimit nofile=100:200', 'ulimit -n; ulimit -H -n', '100\n200')],
  'use-api-socket': [inside('--use-api-socket', 'test -S /var/run/docker.sock && echo socket', 'socket')],
  user: [alone('--user 1234:5', 'id -u; id -g', '1234\n5')],
  userns: [inspected('--userns host', 'host')],
  uts: [inspected('--uts host', 'host')],
  volume: [inside('--volume kept:/kept', 'grep -c " /kept " /proc/mounts', '1')],
  'volume-driver': [
    inspected('--volume-driver local', 'local'),
    rejected(
      '--pull never --volume-driver nope --volume new:/x',
      /error looking up volume plugin nope: plugin "nope" not found/,
    ),
  ],
  'volumes-from': [inside('--volumes-from target', 'grep -c " /data " /proc/mounts', '1')],
  workdir: [inside('--workdir /tmp', 'pwd', '/tmp')],
};

/** Flags of the client, and flags without effect on a container that is not started. */
const running: Readonly<Record<string, readonly Case[]>> = {
  attach: [line("docker run --rm --attach stdout $I sh -c 'echo out; echo err >&2' 2>&1", 'out')],
  detach: [line('docker run --detach $I true', /^[0-9a-f]{64}$/)],
  'detach-keys': [line('docker run --rm --detach-keys toolong $I true 2>&1', /received 400/)],
  'sig-proxy': [line('docker run --rm --sig-proxy=false $I echo runs', 'runs')],
};

const rejectsRealtime = /rt_runtime_us|real-time scheduler/;
const update = (flags: string, probe: string, prints: string | RegExp): Case =>
  line(`docker update ${flags} > /dev/null && docker exec ${flags.split(' ').at(-1)} ${probe}`, prints);

const updating: Readonly<Record<string, readonly Case[]>> = {
  'blkio-weight': [line('docker update --blkio-weight 200 first', /does not support Block I\/O weight or the cgroup/)],
  'cpu-period': [update('--cpu-period 50000 second', cgroup('cpu', 'cfs_period_us'), '50000')],
  'cpu-quota': [update('--cpu-quota 20000 second', cgroup('cpu', 'cfs_quota_us'), '20000')],
  'cpu-rt-period': [onNetyard(update('--cpu-rt-period 500000 first', cgroup('cpu', 'rt_period_us'), '500000'))],
  'cpu-rt-runtime': [onNetyard(line('docker update --cpu-rt-runtime 1000 first 2>&1', rejectsRealtime))],
  'cpu-shares': [update('--cpu-shares 300 first', cgroup('cpu', 'shares'), '300')],
  cpus: [update('--cpus 0.5 first', cgroup('cpu', 'cfs_quota_us'), '50000')],
  'cpuset-cpus': [update('--cpuset-cpus 0 first', cgroup('cpuset', 'cpus'), '0')],
  'cpuset-mems': [update('--cpuset-mems 0 first', cgroup('cpuset', 'mems'), '0')],
  memory: [update('--memory-swap 256m --memory 64m first', cgroup('memory', 'limit_in_bytes'), '67108864')],
  'memory-reservation': [update('--memory-reservation 32m first', cgroup('memory', 'soft_limit_in_bytes'), '33554432')],
  'memory-swap': [
    update('--memory 64m --memory-swap 128m second', cgroup('memory', 'memsw.limit_in_bytes'), '134217728'),
  ],
  'pids-limit': [update('--pids-limit 60 first', cgroup('pids', 'max'), '60')],
  restart: [
    line(
      "docker update --restart always first > /dev/null; docker inspect -f '{{json .HostConfig}}' first | grep -o always",
      'always',
    ),
  ],
};

const executing: Readonly<Record<string, readonly Case[]>> = {
  detach: [
    line(
      'docker exec --detach target touch /detached; until docker exec target ls /detached 2> /dev/null; do :; done',
      '/detached',
    ),
  ],
  'detach-keys': [
    line('docker exec --detach-keys toolong target true 2>&1', /Invalid (escape|detach) keys \(toolong\) provided/),
  ],
  env: [line('docker exec --env SIZE=big target env | grep SIZE', 'SIZE=big')],
  'env-file': [line('docker exec --env-file $T/env target env | grep SHAPE', 'SHAPE=round')],
  interactive: [line('echo piped | docker exec --interactive target cat', 'piped')],
  privileged: [onNetyard(line(`docker exec --privileged target sh -c '${hasCapability(21)}'`, '1'))],
  tty: [line('docker exec --tty target tty', /^\/dev\/pts\/\d+/)],
  user: [line('docker exec --user 1234 target id -u', '1234')],
  workdir: [line('docker exec --workdir /tmp target pwd', '/tmp')],
};

/** Creates a network with these flags, probes it, and removes it. */
const created = (flags: string, probe: string, prints: string | RegExp): Case =>
  line(`docker network create ${flags} new > /dev/null && ${probe}; docker network rm new > /dev/null`, prints);
const network = (field: string): string => `docker network inspect -f '{{json .${field}}}' new`;
const notCreated = (flags: string, message: RegExp): Case => line(`docker network create ${flags} new 2>&1`, message);
const inNetwork = (command: string): string => `docker run --rm --network new $I ${command}`;

const networks: Readonly<Record<string, readonly Case[]>> = {
  attachable: [created('--attachable', network('Attachable'), 'true')],
  'aux-address': [
    created('--subnet 10.5.0.0/29 --aux-address a=10.5.0.2', inNetwork('ip addr'), /inet 10\.5\.0\.3\/29/),
  ],
  'config-from': [
    line(
      `docker network create --config-only --subnet 10.5.0.0/24 config > /dev/null && docker network create --config-from config new > /dev/null && ${network('IPAM.Config')}; docker network rm new config > /dev/null`,
      /"Subnet":"10\.5\.0\.0\/24"/,
    ),
    notCreated('--config-from other', /configuration network "other" does not exist/),
  ],
  'config-only': [
    created('--config-only', network('ConfigOnly'), 'true'),
    notCreated('--config-only --internal', /configuration network can only contain network specific fields/),
  ],
  driver: [
    created('--driver bridge', network('Driver'), '"bridge"'),
    notCreated('--driver nope', /plugin "nope" not found/),
  ],
  gateway: [created('--subnet 10.5.0.0/16 --gateway 10.5.0.7', inNetwork('ip route'), /default via 10\.5\.0\.7 /)],
  ingress: [notCreated('--ingress', /Ingress network can only be global scope network/)],
  internal: [
    created('--internal', network('Internal'), 'true'),
    onNetyard(created('--internal', inNetwork('ip route'), /^\S+ dev eth0 scope link {2}src \S+$/)),
  ],
  'ip-range': [created('--subnet 10.5.0.0/16 --ip-range 10.5.1.0/24', inNetwork('ip addr'), /inet 10\.5\.1\.1\/16/)],
  'ipam-driver': [notCreated('--ipam-driver nope', /plugin "nope" not found/)],
  'ipam-opt': [created('--ipam-opt a=b', network('IPAM.Options'), '{"a":"b"}')],
  ipv4: [onNetyard(notCreated('--ipv4=false', /IPv4 or IPv6 must be enabled/))],
  ipv6: [
    created('--ipv6 --subnet fd00:5::/64', network('EnableIPv6'), 'true'),
    onNetyard(created('--ipv6', inNetwork('ip -6 addr show eth0 scope global'), /inet6 fd[\da-f:]+::2\/64/)),
  ],
  label: [created('--label a=b', network('Labels'), '{"a":"b"}')],
  opt: [
    created('--opt com.docker.network.driver.mtu=1400', inNetwork('cat /sys/class/net/eth0/mtu'), '1400'),
    created('--opt a=b', network('Options'), '{"a":"b"}'),
  ],
  scope: [
    created('--scope local', network('Scope'), '"local"'),
    notCreated('--scope swarm', /cannot create a swarm scoped network when swarm is not active/),
  ],
  subnet: [created('--subnet 10.5.0.0/16', inNetwork('ip addr'), /inet 10\.5\.0\.2\/16/)],
};

/** Before each case the container `moving` is not connected to a network. */
const connected = (flags: string, probe: string, prints: string | RegExp): Case =>
  line(`docker network connect ${flags} bridge moving && ${probe}; docker network disconnect bridge moving`, prints);
const endpoint = (field: string): string =>
  `docker inspect -f '{{json .NetworkSettings.Networks.bridge.${field}}}' moving`;
/** The same with the network `front`, whose subnet is 10.77.0.0/16. */
const connectedToFront = (flags: string, probe: string, prints: string | RegExp): Case =>
  line(`docker network connect ${flags} front moving && ${probe}; docker network disconnect front moving`, prints);

const connecting: Readonly<Record<string, readonly Case[]>> = {
  alias: [
    line('docker network connect --alias other bridge moving 2>&1', /network-scoped alias(es are)? .*supported .*for/),
    connectedToFront('--alias other', 'docker inspect moving', /"other"/),
  ],
  'driver-opt': [connected('--driver-opt a=b', endpoint('DriverOpts'), '{"a":"b"}')],
  'gw-priority': [onNetyard(connected('--gw-priority 5', endpoint('GwPriority'), '5'))],
  ip: [
    onDockerd(line('docker network connect --ip 172.17.0.99 bridge moving 2>&1', userDefinedOnly)),
    onNetyard(connected('--ip 172.17.0.99', 'docker exec moving ip addr', /inet 172\.17\.0\.99\/16/)),
    connectedToFront('--ip 10.77.0.99', 'docker exec moving ip addr', /inet 10\.77\.0\.99\/16/),
  ],
  ip6: [line('docker network connect --ip6 fd00::9 bridge moving 2>&1', userDefinedOnly)],
  link: [
    connected('--link target:other', `docker inspect -f '{{json .NetworkSettings.Networks}}' moving`, /"target:other"/),
  ],
  'link-local-ip': [connected('--link-local-ip 169.254.7.7', 'docker exec moving ip addr', /inet 169\.254\.7\.7\/16/)],
};

const noSwarm = /This node is not a swarm manager/;
const clusterVolume = (flags: string): readonly Case[] => [
  onNetyard(line(`docker volume create --scope multi ${flags} cluster 2>&1`, noSwarm)),
];

const volumes: Readonly<Record<string, readonly Case[]>> = {
  availability: clusterVolume('--availability drain'),
  driver: [line('docker volume create --driver nope new 2>&1', /create new: error looking up volume plugin nope/)],
  group: clusterVolume('--group other'),
  label: [
    line(
      "docker volume create --label a=b labelled; docker volume inspect -f '{{json .Labels}}' labelled",
      /\{"a":"b"\}/,
    ),
  ],
  'limit-bytes': clusterVolume('--limit-bytes 5m'),
  opt: [
    line(
      "docker volume create --opt type=tmpfs --opt device=tmpfs inmemory > /dev/null; docker run --rm -v inmemory:/v $I grep -c ' /v tmpfs' /proc/mounts",
      '1',
    ),
  ],
  'required-bytes': clusterVolume('--required-bytes 5m'),
  scope: clusterVolume(''),
  secret: clusterVolume('--secret a=b'),
  sharing: clusterVolume('--sharing all'),
  'topology-preferred': clusterVolume('--topology-preferred a=b'),
  'topology-required': clusterVolume('--topology-required a=b'),
  type: clusterVolume('--type mount'),
};

export const cases: Readonly<Record<FlagCommand, Readonly<Record<string, readonly Case[]>>>> = {
  run: { ...creating, ...running },
  create: creating,
  update: updating,
  exec: executing,
  'network create': networks,
  'network connect': connecting,
  'volume create': volumes,
};
