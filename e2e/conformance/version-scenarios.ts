/** Scenarios of older API versions: fields of networks and endpoints that a version lacks, has, or reads in another way. */
import { differs, type ScenarioGroup } from './scenario.ts';

const versions = (list: string, line: string): string => `for API in ${list}; do echo "API $API"; ${line}; done`;
const text = (body: object): string => `'${JSON.stringify(body)}'`;
/** Creates container `v1`, runs `after`, and removes it. */
const created = (body: object, after: string): string =>
  `api POST '/containers/create?name=v1' ${text({ Image: 'netyard-test', Cmd: ['sleep', '99'], ...body })} | sed 's/[0-9a-f]\\{64\\}/ID/'; ${after}; docker rm -f v1 > /dev/null 2>&1`;
/** Without the bytes that all addresses of the scenarios share, since the comparison hides MAC addresses. */
const macs = `docker inspect v1 2> /dev/null | jq -c '.[0].NetworkSettings.Networks | objects | map_values(.MacAddress)' | sed 's/02:00:00:00:00:/M/g'`;
const shown = `api GET /containers/v1/json | head -n 1 | jq -cS '.NetworkSettings.Networks | objects | map_values(del(.NetworkID, .EndpointID, .DNSNames))'`;
const mac = { MacAddress: '02:00:00:00:00:05' };
const on = (settings: object, others: object = {}): object => ({
  HostConfig: { NetworkMode: 'front', ...others },
  NetworkingConfig: { EndpointsConfig: { front: settings } },
});
const address = { IPAMConfig: { IPv4Address: '10.1.0.77' } };
const arp = { 'net.ipv4.conf.eth0.proxy_arp': '1' };
const sysctls = `docker inspect v1 2> /dev/null | jq -cS '.[0] | .HostConfig.Sysctls, (.NetworkSettings.Networks | objects | map_values(.DriverOpts))'; docker start v1 2> /dev/null; docker exec v1 cat /proc/sys/net/ipv4/conf/eth0/proxy_arp 2> /dev/null`;
const all = '1.24 1.40 1.43 1.44 1.45 1.47 1.48 1.51';

export const versionScenarios: readonly ScenarioGroup[] = [
  {
    title: 'API versions',
    setUp: [
      'docker network create --subnet 10.1.0.0/24 --gateway 10.1.0.1 front',
      'docker network create --subnet 10.2.0.0/24 --gateway 10.2.0.1 back',
      'start c1 --network front --ip 10.1.0.9 --mac-address 02:00:00:00:00:05 -p 127.0.0.1:8080:80',
    ],
    scenarios: [
      versions(
        '1.24 1.27 1.28 1.51',
        `api GET /networks | head -n 1 | jq -cS 'sort_by(.Name) | .[] | select(.Name != "bridge")'`,
      ),
      versions(all, `api GET /networks/front | jq -cS objects; api GET '/networks/host?verbose=1' | jq -cS objects`),
      versions(
        all,
        `api GET /containers/json | head -n 1 | jq -cS '.[0] | del(.Created, .ImageManifestDescriptor, .NetworkSettings.Networks[].DNSNames)'`,
      ),
      versions(
        all,
        `api GET /containers/c1/json | head -n 1 | jq -cS '(.NetworkSettings | del(.SandboxID, .SandboxKey)), (.Config | keys), (.HostConfig | keys), keys'`,
      ),
      versions(all, `api POST /networks/create '{"Name":"front","CheckDuplicate":true}'`),
      versions(
        all,
        `api POST /networks/back/connect '{"Container":"c1","EndpointConfig":{"IPAMConfig":{"IPv4Address":"10.2.0.30"},"GwPriority":5,"DriverOpts":{"a":"b"}}}'; docker inspect c1 | jq -cS '.[0].NetworkSettings.Networks.back | {GwPriority, DriverOpts, IPAddress}'; docker network disconnect back c1`,
      ),
      versions(all, created({ ...mac, ...on(address) }, `${macs}; docker start v1; ${shown}; ${macs}`)),
      versions('1.43 1.44 1.51', created(on({ ...address, ...mac }), `${macs}; docker start v1; ${macs}`)),
      versions(
        '1.43 1.44 1.51',
        created({ ...mac, ...on(mac) }, `${macs}; docker start v1; docker stop -t 0 v1; ${macs}`),
      ),
      versions('1.43 1.44 1.51', created({ ...mac, ...on({ MacAddress: '02:00:00:00:00:06' }) }, macs)),
      ...[{}, { HostConfig: { NetworkMode: 'back' } }].map((mode) =>
        versions(
          '1.43 1.44 1.51',
          created({ ...mac, ...mode, NetworkingConfig: { EndpointsConfig: { front: {} } } }, macs),
        ),
      ),
      versions('1.24 1.43', created({ ...mac, HostConfig: { NetworkMode: 'none' } }, macs)),
      versions('1.24 1.43', created({ ...mac, HostConfig: { NetworkMode: 'container:c1' } }, macs)),
      differs(
        versions('1.44 1.51', created({ ...mac, HostConfig: { NetworkMode: 'host' } }, macs)),
        'a MAC address without effect is rejected',
      ),
      versions('1.24 1.45 1.47', created(on({}, { Sysctls: arp }), sysctls)),
      versions('1.47', created(on({}, { Sysctls: { ...arp, 'net.core.somaxconn': '77' } }), sysctls)),
      versions(
        '1.46 1.47',
        created(
          on(
            { DriverOpts: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1' } },
            { Sysctls: arp },
          ),
          sysctls,
        ),
      ),
      versions('1.47', created({ HostConfig: { Sysctls: arp } }, sysctls)),
      differs(
        versions('1.45 1.47', created(on({}, { Sysctls: { 'net.ipv4.conf.eth1.proxy_arp': '1' } }), 'true')),
        'the status of an invalid request',
      ),
      'start v1 --sysctl net.ipv4.conf.eth0.proxy_arp=1; docker rm -f v1',
      ...['1.24', '1.43', '1.44', '1.51'].map((version) =>
        versions(
          version,
          created(
            {
              HostConfig: { NetworkMode: 'front' },
              NetworkingConfig: { EndpointsConfig: { back: { IPAMConfig: { IPv4Address: '10.2.0.77' } } } },
            },
            `docker start v1; ${shown}`,
          ),
        ),
      ),
      versions(
        '1.24 1.51',
        created(
          { HostConfig: { NetworkMode: 'default' }, NetworkingConfig: { EndpointsConfig: { back: {} } } },
          `docker start v1; ${shown} | jq -c keys`,
        ),
      ),
      `id=$(docker network inspect -f '{{.Id}}' front); docker create --name v1 --network $id netyard-test sleep 9 > /dev/null; docker inspect -f '{{.HostConfig.NetworkMode}}' v1 | wc -c; docker start v1; ${shown} | jq -c 'keys | map(length)'; docker rm -f v1`,
      versions(
        '1.24 1.51',
        created(
          on({ ...address, Links: ['c1:db'], Aliases: ['a', 'b', 'a'] }),
          `docker start v1; ${shown}; names v1 db; names v1 a`,
        ),
      ),
    ],
  },
];
