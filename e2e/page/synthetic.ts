/** Items of a page as five hosts with 300 containers would have them: always the same. */
import type { ContainerItem, NetworkItem, PageItem, RatesMessage } from '@netyard/page';

const sizes: readonly (readonly [network: string, containers: number])[] = [
  ['bridge', 6],
  ['shop_front', 9],
  ['shop_back', 12],
  ['batch', 33],
];

/** The first host has one network with more containers than cells are drawn for. */
export function syntheticItems(hosts = 5): PageItem[] {
  const names = Array.from({ length: hosts }, (_, index) => `node${index + 1}`);
  return names.flatMap((name, index) => hostItems(name, index, names));
}

function hostItems(name: string, index: number, names: readonly string[]): PageItem[] {
  const host = `host:${name}`;
  const networks = sizes.map(([network, count], place) => {
    const more = index === 0 && network === 'batch' ? 27 : 0;
    const fewer = index === 4 ? Math.min(count - 1, 9) : 0;
    return { network, count: count + more - fewer, place };
  });
  const peers = names.filter((other) => other !== name);
  return [
    { kind: 'host', id: host, name, version: '0.1.0', uplinks: ['eth0'], problems: [] },
    ...networks.flatMap(({ network, count, place }) => [
      networkItem(host, network, index, place),
      ...Array.from({ length: count }, (_, number) => containerItem(host, index, network, place, number)),
    ]),
    ...peers.map((peer, place): PageItem => {
      const number = Number(peer.slice(4));
      return {
        ...{ kind: 'peer', id: `peer:${name}:${peer}`, host, name: peer, address: `172.16.2.10${number}` },
        ...{ subnets: [`192.168.${number}.0/24`], origin: 'cluster' },
        ...(place === 2 ? { via: 'vxlan', link: 'netyard', mtu: 1450 } : { via: 'route', link: 'eth0', mtu: 1500 }),
        problems: index === 3 && place === 3 ? [`route 192.168.${number}.0/24 is missing`] : [],
      };
    }),
  ];
}

const networkItem = (host: string, name: string, index: number, place: number): NetworkItem => ({
  ...{
    kind: 'network',
    id: `${host}/${name}`,
    host,
    name,
    driver: 'bridge',
    link: place === 0 ? 'docker0' : `br-${place}`,
  },
  subnets: [{ subnet: `10.${index}.${place}.0/24`, gateway: `10.${index}.${place}.1` }],
  ...{ internal: name === 'shop_back', icc: name !== 'batch', mtu: 1500, problems: [] },
});

function containerItem(host: string, index: number, network: string, place: number, number: number): ContainerItem {
  const name = `${network.replace('_', '-')}-${number + 1}`;
  const isDown = number % 13 === 12;
  const endpoint = (of: string, third: number, last: number, link: string) => ({
    ...{ networkId: `${host}/${of}`, network: of, link, hostLink: `ny${index}${third}${last}` },
    ...{ addresses: [`10.${index}.${third}.${last}`], mac: `02:42:0a:0${index}:0${third}:0a`, names: [name] },
  });
  const back = network === 'shop_front' && number < 3 ? [endpoint('shop_back', 2, number + 100, 'eth1')] : [];
  return {
    ...{ kind: 'container', id: `${host}/${name}`, host, name, image: `registry.example/${network}:1.${number % 4}` },
    ...{ state: isDown ? 'exited' : 'running', mode: network },
    endpoints: [endpoint(network, place, number + 2, 'eth0'), ...back],
    ports:
      place < 2 && number < 3
        ? [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8000 + place * 100 + number, containerPort: 80 }]
        : [],
    links: network === 'bridge' && number === 1 ? [{ id: `${host}/bridge-1`, name: 'bridge-1', alias: 'web1' }] : [],
    problems: isDown ? ['exited with status 1'] : [],
  };
}

/** Every third container (`every`: 1, all) has traffic, one drops packets. `step` changes them. */
export function syntheticRates(items: readonly PageItem[], step: number, every = 3): RatesMessage {
  const links: RatesMessage['links'] = { eth0: [1_250_000 + step, 830_000, 0] };
  for (const [index, item] of items.entries()) {
    const link = item.kind === 'container' ? item.endpoints[0]?.hostLink : undefined;
    if (link !== undefined && index % every === 0)
      links[link] = [(index * 977 + step * 131) % 90_000, index * 211, index === 30 ? 4 : 0];
  }
  return { links, peers: {} };
}
