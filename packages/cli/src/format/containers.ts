/** Formats rows of `ps` and a container's ports. Pure. */
import type { ContainerSummary, PortSummary } from '@netyard/api-types';
import { ellipsis, goTime, humanDuration, humanSize, quote, shortImageId } from './human.ts';
import type { Listing, Row } from './listing.ts';

export const containerListing: Listing = {
  headers: {
    ID: 'CONTAINER ID',
    Names: 'NAMES',
    Image: 'IMAGE',
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    RunningFor: 'CREATED',
    Ports: 'PORTS',
    State: 'STATE',
    Status: 'STATUS',
    Size: 'SIZE',
    Labels: 'LABELS',
    Label: 'LABEL',
    Mounts: 'MOUNTS',
    LocalVolumes: 'LOCAL VOLUMES',
    Networks: 'NETWORKS',
    Platform: 'PLATFORM',
  },
  columns: ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names'],
  quiet: 'ID',
  typeName: '*formatter.ContainerContext',
};

export interface ContainerRowOptions {
  truncate: boolean;
  /** Seconds since 1970. */
  now: number;
}

export function containerRow(container: ContainerSummary, { truncate, now }: ContainerRowOptions): Row {
  const labels = container.Labels ?? {};
  return {
    ID: truncate ? container.Id.slice(0, 12) : container.Id,
    Names: namesText(container.Names, truncate),
    Image: imageText(container, truncate),
    Command: quote(truncate ? ellipsis(container.Command, 20) : container.Command),
    // Computed only where it is shown: the name of the time zone takes 30 ms.
    get CreatedAt() {
      return goTime(new Date(container.Created * 1000));
    },
    RunningFor: `${humanDuration(now - container.Created)} ago`,
    Ports: portsText(container.Ports ?? []),
    State: container.State,
    Status: container.Status,
    Size: sizeText(container),
    Labels: labelsText(labels),
    Label: (name: string) => labels[name] ?? '',
    Mounts: (container.Mounts ?? []).map((mount) => mountText(mount, truncate)).join(','),
    LocalVolumes: String((container.Mounts ?? []).filter((mount) => mount.Driver === 'local').length),
    Networks: Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
    Platform: null,
  };
}

function mountText(mount: { Name?: string; Source: string }, truncate: boolean): string {
  const name = mount.Name || mount.Source;
  return truncate ? ellipsis(name, 15) : name;
}

function namesText(names: readonly string[] | null, truncate: boolean): string {
  const plain = (names ?? []).map((name) => name.replace(/^\//, ''));
  const own = plain.find((name) => !name.includes('/'));
  return truncate && own !== undefined ? own : plain.join(',');
}

function imageText({ Image, ImageID }: ContainerSummary, truncate: boolean): string {
  if (Image === '') return '<no image>';
  if (!truncate) return Image;
  if (ImageID && shortImageId(ImageID) === shortImageId(Image)) return shortImageId(ImageID);
  return Image.replace(/@sha256:[0-9a-f]{64}$/, '');
}

function sizeText(container: ContainerSummary): string {
  const writable = humanSize(container.SizeRw ?? 0, 3);
  const total = container.SizeRootFs ?? 0;
  return total > 0 ? `${writable} (virtual ${humanSize(total, 3)})` : writable;
}

export const labelsText = (labels: Readonly<Record<string, string>> | null): string =>
  Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');

/** `0.0.0.0:8801->80/tcp`; adjacent ports with unchanged numbers become a range, other mappings are last. */
export function portsText(ports: readonly PortSummary[]): string {
  const runs = new Map<string, { first: number; last: number }>();
  const done: string[] = [];
  const mapped: string[] = [];
  for (const port of [...ports].sort(comparePorts)) {
    if (port.IP && port.PublicPort !== port.PrivatePort) {
      mapped.push(`${joinHostPort(port.IP, port.PublicPort ?? 0)}->${port.PrivatePort}/${port.Type}`);
      continue;
    }
    const key = port.IP ? `${port.IP}/${port.Type}` : port.Type;
    const run = runs.get(key);
    if (run && port.PrivatePort === run.last + 1) run.last = port.PrivatePort;
    else {
      if (run) done.push(runText(key, run));
      runs.set(key, { first: port.PrivatePort, last: port.PrivatePort });
    }
  }
  return [...done, ...[...runs].map(([key, run]) => runText(key, run)), ...mapped].join(', ');
}

function runText(key: string, { first, last }: { first: number; last: number }): string {
  const [type, address] = key.split('/').reverse();
  const range = first === last ? `${first}` : `${first}-${last}`;
  return `${address ? `${joinHostPort(address, range)}->` : ''}${range}/${type}`;
}

export const joinHostPort = (address: string, port: number | string): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

function comparePorts(a: PortSummary, b: PortSummary): number {
  const text = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);
  return (
    a.PrivatePort - b.PrivatePort ||
    text(a.IP ?? '', b.IP ?? '') ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    text(a.Type, b.Type)
  );
}
