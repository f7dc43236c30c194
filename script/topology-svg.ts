/**
 * Draws hosts, their bridges, containers and peers as an SVG picture, from the answers of the daemons' APIs. Omits
 * identifiers and generated interface names, so that the same topology always gives the same picture.
 *
 *     node script/topology-svg.ts FOLDER HOST…     reads FOLDER/HOST.topology.json and FOLDER/HOST.inspect.json
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The answer of `GET /netyard/v1/topology`, as far as it is drawn. */
export interface DrawnTopology {
  nodes: readonly { id: string; kind: string; name: string; detail: Readonly<Record<string, string>> }[];
  edges: readonly { from: string; to: string; address: string; link: string }[];
}

/** The answer of `docker inspect`, as far as it is drawn. Links have the form `/TARGET:/PARENT/ALIAS`. */
export type Inspected = readonly { Name: string; HostConfig: { Links: readonly string[] | null } }[];

export interface DrawnHost {
  name: string;
  topology: DrawnTopology;
  containers: Inspected;
}

/** All in pixels. */
const size = { margin: 20, host: 400, gap: 40, container: 178, height: 86 } as const;
/** Vertical positions. A link's arrow runs above the containers. */
const y = {
  host: 20,
  title: 48,
  container: 96,
  bridge: 230,
  uplink: 318,
  hostEnd: 358,
  network: 400,
  end: 480,
} as const;

const style = `
  text { font: 14px system-ui, "Helvetica Neue", Arial, sans-serif; fill: #1f2328; }
  .mono { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; fill: #424a53; }
  .name { font-weight: 600; }
  .paper { fill: #ffffff; }
  .host { fill: #f6f8fa; stroke: #8c959f; }
  .container { fill: #ddf4ff; stroke: #0969da; }
  .bridge { fill: #dafbe1; stroke: #1a7f37; }
  .uplink, .network { fill: #fff8c5; stroke: #9a6700; }
  .wire { stroke: #57606a; stroke-width: 1.5; fill: none; }
  .link { stroke: #8250df; stroke-width: 1.5; stroke-dasharray: 5 3; fill: none; }
  .route { stroke: #9a6700; stroke-width: 3; fill: none; }
  .linkText { fill: #8250df; }
  .arrow { fill: #8250df; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .mono { fill: #c9d1d9; }
    .paper { fill: #0d1117; }
    .host { fill: #161b22; stroke: #6e7681; }
    .container { fill: #0c2d6b; stroke: #58a6ff; }
    .bridge { fill: #0f3d1f; stroke: #3fb950; }
    .uplink, .network { fill: #3b2a00; stroke: #d29922; }
    .wire { stroke: #8b949e; }
    .link { stroke: #bc8cff; }
    .route { stroke: #d29922; }
    .linkText { fill: #bc8cff; }
    .arrow { fill: #bc8cff; }
  }`;

const escapeText = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

function text(x: number, top: number, content: string, kind = '', anchor = 'middle'): string {
  return `<text x="${x}" y="${top}" class="${kind}" text-anchor="${anchor}">${escapeText(content)}</text>`;
}

function rect(x: number, top: number, width: number, height: number, kind: string): string {
  return `<rect x="${x}" y="${top}" width="${width}" height="${height}" rx="6" class="${kind}"/>`;
}

const line = (x1: number, y1: number, x2: number, y2: number, kind: string): string =>
  `<path d="M${x1} ${y1} L${x2} ${y2}" class="${kind}"/>`;

/** `0.0.0.0:8801->80/tcp` as `port 8801 → 80/tcp`. */
const portText = (port: string): string => port.replace(/^.*:(\d+)->/, 'port $1 → ');

/** The containers of one host in the order in which their addresses were allocated. */
function containersOf({ topology }: DrawnHost): { name: string; address: string; ports: string }[] {
  return topology.nodes
    .filter(({ kind }) => kind === 'container')
    .map(({ id, name, detail }) => ({
      name,
      address: topology.edges.find(({ from }) => from === id)?.address ?? '',
      ports: detail['ports'] ?? '',
    }))
    .sort((one, other) => one.address.localeCompare(other.address, 'en', { numeric: true }));
}

/** Left edges of a host's containers, centred in the host. */
function columns(count: number, left: number): number[] {
  const step = size.container + 16;
  const first = left + (size.host - (count * step - 16)) / 2;
  return Array.from({ length: count }, (_, index) => first + index * step);
}

function drawContainers(host: DrawnHost, left: number): string[] {
  const containers = containersOf(host);
  const starts = columns(containers.length, left);
  const middles = starts.map((start) => start + size.container / 2);
  const drawn = containers.flatMap(({ name, address, ports }, index) => {
    const [start, middle] = [starts[index] ?? 0, middles[index] ?? 0];
    return [
      line(middle, y.container + size.height, middle, y.bridge, 'wire'),
      rect(start, y.container, size.container, size.height, 'container'),
      text(middle, y.container + 26, name, 'name'),
      text(middle, y.container + 48, `eth0 ${address}`, 'mono'),
      text(middle, y.container + 70, portText(ports), 'mono'),
    ];
  });
  const middleOf = (name: string): number => middles[containers.findIndex((one) => one.name === name)] ?? 0;
  const links = host.containers.flatMap(({ Name, HostConfig }) =>
    (HostConfig.Links ?? []).map((link) =>
      drawLink(link, middleOf(Name.slice(1)), middleOf(/^\/([^:]*):/.exec(link)?.[1] ?? '')),
    ),
  );
  return [...drawn, ...links];
}

/** An arrow from the container that has the link to its target, with the option that made it. */
function drawLink(link: string, from: number, to: number): string {
  const [, target, alias] = /^\/([^:]*):\/[^/]*\/(.*)$/.exec(link) ?? [];
  const top = y.container - 18;
  return [
    `<path d="M${from} ${y.container} V${top} H${to} V${y.container - 2}" class="link" marker-end="url(#arrow)"/>`,
    text((from + to) / 2, top - 7, `--link ${target}:${alias}`, 'mono linkText'),
  ].join('');
}

function drawHost(host: DrawnHost, address: string, left: number): string[] {
  const { nodes, edges } = host.topology;
  const uplink = left + 56;
  const bridge = nodes.find(({ kind }) => kind === 'network');
  const gateway = edges.find(({ from }) => from === bridge?.id);
  const subnet = bridge?.detail['subnet'];
  const peers = nodes.filter(({ kind }) => kind === 'peer');
  const routes = peers.map(({ id, name, detail }) => {
    const edge = edges.find(({ from }) => from === id);
    return { link: edge?.link ?? '', content: `${detail['subnets']} via ${edge?.address} (${name})` };
  });
  return [
    rect(left, y.host, size.host, y.hostEnd - y.host, 'host'),
    text(left + 16, y.title, host.name, 'name', 'start'),
    ...drawContainers(host, left),
    line(uplink, y.bridge + 40, uplink, y.uplink, 'wire'),
    rect(left + 20, y.bridge, size.host - 40, 40, 'bridge'),
    text(left + size.host / 2, y.bridge + 25, `bridge ${gateway?.link} ${gateway?.address}, ${subnet}`, 'mono'),
    line(uplink, y.uplink + 28, uplink, y.network, 'route'),
    text(uplink + 12, y.hostEnd + 20, address, 'mono', 'start'),
    rect(left + 20, y.uplink, 72, 28, 'uplink'),
    text(uplink, y.uplink + 19, routes[0]?.link ?? '', 'mono'),
    ...routes.map(({ content }, index) => text(left + 104, y.uplink + 19 - 18 * index, content, 'mono', 'start')),
  ];
}

/** The address by which the other hosts know this one, of their own topology. */
function addressOf(name: string, hosts: readonly DrawnHost[]): string {
  const edges = hosts.flatMap(({ topology }) => topology.edges);
  return edges.find(({ from }) => from === `peer ${name}`)?.address ?? '';
}

/** The whole picture. Pure. */
export function drawSvg(hosts: readonly DrawnHost[]): string {
  const lefts = hosts.map((_, index) => size.margin + index * (size.host + size.gap));
  const width = size.margin * 2 + hosts.length * size.host + (hosts.length - 1) * size.gap;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y.end}" width="${width}" height="${y.end}" role="img">`,
    '<title>Containers, bridges and routes of the tutorial’s two hosts</title>',
    `<style>${style}\n</style>`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
    '<path d="M0 0 L8 4 L0 8 z" class="arrow"/></marker></defs>',
    `<rect width="${width}" height="${y.end}" rx="10" class="paper"/>`,
    ...hosts.flatMap((host, index) => drawHost(host, addressOf(host.name, hosts), lefts[index] ?? 0)),
    rect(size.margin, y.network, width - size.margin * 2, 36, 'network'),
    text(width / 2, y.network + 23, 'shared link between the hosts'),
    '</svg>',
  ].join('\n')}\n`;
}

function main([folder = '', ...names]: readonly string[]): void {
  const read = <T>(name: string): T => JSON.parse(readFileSync(join(folder, name), 'utf8')) as T;
  const hosts = names.map((name) => ({
    name,
    topology: read<DrawnTopology>(`${name}.topology.json`),
    containers: read<Inspected>(`${name}.inspect.json`),
  }));
  process.stdout.write(drawSvg(hosts));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
