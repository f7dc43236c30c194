/** Scenarios of `docker inspect`: whole documents of created containers with many options. */
import { differs, type ScenarioGroup } from './scenario.ts';

const create = (body: string): string => `api POST '/containers/create?name=shown' '{"Image":"netyard-test",${body}}'`;
const part = (filter: string): string => `docker inspect shown | jq -cS '.[0] | ${filter}'; docker rm -f shown`;
const exposed = part('.Config.ExposedPorts');

export const inspectScenarios: readonly ScenarioGroup[] = [
  {
    title: 'inspect: containers',
    short: true,
    setUp: [
      'docker network create --subnet 10.1.0.0/24 --gateway 10.1.0.1 front',
      'start owner --hostname machine --domainname example.org',
    ],
    scenarios: [
      'inspected',
      'inspected --expose 9999 --expose 80/udp --expose 7000-7002',
      'inspected -p 80:80 -p 127.0.0.1:90:91/udp -P --expose 5',
      'inspected --security-opt label=disable --security-opt no-new-privileges',
      'inspected --security-opt seccomp=unconfined --security-opt apparmor=unconfined',
      'inspected --privileged',
      'inspected --privileged --security-opt label=disable',
      'inspected --pid host',
      'inspected --ipc host --security-opt no-new-privileges',
      'inspected --pid container:owner --cgroupns host --userns host',
      'inspected -v data:/a -v /b --mount type=volume,src=more,dst=/c --mount type=tmpfs,dst=/d --tmpfs /e',
      'inspected --mount type=bind,src=/run,dst=/a,readonly,bind-recursive=writable --mount type=bind,src=/run,dst=/b,bind-recursive=disabled',
      'inspected --ulimit nofile=100:200 --ulimit core=1 --ulimit nproc=5 --ulimit memlock=9',
      'inspected -m 64m --memory-swap 128m --memory-reservation 32m --cpus 0.5 --cpu-shares 100 --cpuset-cpus 0 --pids-limit 50',
      'inspected -m 64m --memory-swap -1 --oom-score-adj 10 --pids-limit -1',
      "inspected --cap-add NET_ADMIN --cap-drop ALL --device /dev/null --device /dev/zero:/dev/zz:r --device-cgroup-rule 'c 1:3 rwm' --group-add 5",
      'inspected --dns 1.1.1.1 --dns-search a.b --dns-opt ndots:2 --add-host x:1.2.3.4 --add-host y=::1',
      'inspected --restart on-failure:3 --log-opt max-size=1m -l a=b -e A=b -w /tmp -u 5:6 --stop-signal SIGINT --stop-timeout 3',
      'inspected --stop-timeout 0 --log-driver none --annotation a=b',
      'inspected --restart always --init -it --read-only --shm-size 10m --ipc shareable',
      'inspected --health-cmd true --health-interval 30s --health-retries 2 --health-start-period 1s',
      'inspected --no-healthcheck --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=1000 --cgroup-parent foo',
      'inspected --hostname machine --domainname example.org --network front --network-alias web --ip 10.1.0.9',
      'inspected --network none --init=false',
      `id=$(api POST /containers/owner/exec '{"Cmd":["true"],"Tty":true,"DetachKeys":"ctrl-a,b"}' | jq -r '.Id?' | head -n 1); api GET "/exec/$id/json" | jq -cS 'objects | del(.ContainerID, .ID)'`,
      'inspected --network container:owner',
      'inspected --link owner:db --volumes-from owner:ro',
      differs(
        'inspected --uts host --domainname example.org',
        'rejected at create; Docker creates the container and cannot start it',
      ),
      `${create('"ExposedPorts":{"9999":{},"80/tcp":{},"53/UDP":{},"70-72/tcp":{}}')}; ${exposed}`,
      `${create('"HostConfig":{"Mounts":[{"Type":"bind","Source":"/run","Target":"/a","BindOptions":{}},{"Type":"volume","Source":"data","Target":"/b","VolumeOptions":{}},{"Type":"tmpfs","Target":"/c","TmpfsOptions":{}},{"Type":"volume","Source":"data","Target":"/d","VolumeOptions":{"DriverConfig":{}}}]}')}; ${part('.HostConfig.Mounts')}`,
      `${create('"HostConfig":{"NetworkMode":"front"},"NetworkingConfig":{"EndpointsConfig":{"front":{"IPAMConfig":{},"Aliases":[],"DriverOpts":{}}}}')}; ${part('.NetworkSettings.Networks[] | del(.NetworkID)')}`,
      `${create('"HostConfig":{"NetworkMode":"front"},"NetworkingConfig":{"EndpointsConfig":{"front":{"IPAMConfig":null}}}')}; ${part('.NetworkSettings.Networks[] | del(.NetworkID)')}`,
      `docker create --name shown netyard-test; docker network connect front shown; ${part('.NetworkSettings.Networks[] | del(.NetworkID, .DNSNames)')}`,
      `${create('"HostConfig":{}')}; ${part('.HostConfig | del(.Runtime)')}`,
      `api POST '/containers/create?name=shown' '{"Image":"netyard-test"}'; ${part('.HostConfig | del(.Runtime)')}`,
      `${create('"hostconfig":{"Binds":[],"Dns":[],"dnssearch":null,"CapAdd":[],"ExtraHosts":[],"Devices":null,"GroupAdd":[],"Links":[],"SecurityOpt":[],"VolumesFrom":[],"Ulimits":[{"Name":"core","Soft":1,"Hard":1}],"BlkioDeviceReadBps":[],"PortBindings":{},"Mounts":[],"Sysctls":{},"Tmpfs":{}}')}; ${part('.HostConfig | del(.Runtime)')}`,
      `for API in 1.43 1.44 1.45; do api POST /containers/create '{"Image":"netyard-test","HostConfig":{"Mounts":[{"Type":"volume","Source":"part","Target":"/x","VolumeOptions":{"Subpath":"a"}}]}}'; api POST /containers/create '{"Image":"netyard-test","HostConfig":{"Mounts":[{"Type":"bind","Source":"/run","Target":"/x","ReadOnly":true,"BindOptions":{"ReadOnlyForceRecursive":true}}]}}'; done`,
      differs(
        `${create('"HostConfig":{"PortBindings":{"80":[{"HostPort":"81"}],"53/UDP":[{}]}}')}; ${part('.HostConfig.PortBindings')}`,
        'keys of port bindings have one form, as bindings can change later',
      ),
      "docker run --name shown netyard-test sh -c 'exit 3'; docker inspect shown | jq -cS '.[0].State'; docker rm shown",
    ],
  },
  {
    title: 'inspect: images',
    short: true,
    setUp: [],
    scenarios: [
      "for API in 1.24 1.43 1.44 1.49 1.50 1.51; do api GET /images/netyard-test/json | jq -cS 'objects | .Config, (del(.Config, .ContainerConfig) | keys)'; done",
    ],
  },
  {
    title: 'inspect: volumes',
    short: true,
    setUp: [],
    scenarios: [
      'docker volume create data; docker volume inspect data | jq -cS ".[0] | del(.Mountpoint)"; docker volume rm data',
      'docker volume create --label a=b -o type=tmpfs -o device=tmpfs -o o=size=1m data; docker volume inspect data | jq -cS ".[0] | del(.Mountpoint)"; docker volume rm data',
      `api POST /volumes/create '{"Name":"data","Labels":null,"DriverOpts":null}' | jq -cS 'objects | del(.Mountpoint)'; docker volume rm data`,
    ],
  },
];
