/**
 * The protocol of Testcontainers' reaper, Ryuk, as its image has it: clients send filters, one line each
 * (`label=KEY=VALUE&label=…`), which are answered with `ACK`. When the last client has been gone for
 * RYUK_RECONNECTION_TIMEOUT, everything that matches a filter is removed through the mounted socket, and the reaper ends.
 */
import { createServer, type Socket } from 'node:net';
import { ask } from './docker-socket.ts';

interface Found {
  id: string;
  /** Milliseconds since 1970. */
  created: number;
}

interface Container {
  Id: string;
  Created: number;
  Labels: Record<string, string>;
}

const reaperLabel = 'org.testcontainers.ryuk';
const filters = new Set<string>();
let clients = 0;
let timer: NodeJS.Timeout | undefined;
let version = '';

/** `1s`, `500ms` or `2m`, as Go writes durations. */
function milliseconds(duration: string): number {
  const match = /^(\d+)(ms|s|m)$/.exec(duration);
  if (!match) throw new Error(`not a duration: ${duration}`);
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'];
}

/** `label=a=b&label=c` as the Go client encodes it: `{"label":{"a=b":true,"c":true}}`. */
function encodeFilter(line: string): string {
  const fields: Record<string, Record<string, true>> = {};
  for (const [name, value] of new URLSearchParams(line)) fields[name] = { ...fields[name], [value]: true };
  return encodeURIComponent(JSON.stringify(fields));
}

/** What matches a filter, with the call that removes one of it. */
async function resources(filter: string): Promise<{ found: Found; remove: string }[]> {
  const containers = (await ask('GET', `${version}/containers/json?all=1&filters=${filter}`)) as Container[];
  const networks = (await ask('GET', `${version}/networks?filters=${filter}`)) as { Id: string; Created: string }[];
  const volumes = (await ask('GET', `${version}/volumes?filters=${filter}`)) as {
    Volumes: { Name: string; CreatedAt: string }[] | null;
  };
  const images = (await ask('GET', `${version}/images/json?filters=${filter}`)) as Container[];
  const entry = (id: string, created: number, remove: string) => ({ found: { id, created }, remove });
  return [
    ...containers
      .filter(({ Labels }) => Labels[reaperLabel] !== 'true')
      .map(({ Id, Created }) => entry(Id, Created * 1000, `/containers/${Id}?force=1&v=1`)),
    ...networks.map(({ Id, Created }) => entry(Id, Date.parse(Created), `/networks/${Id}`)),
    ...(volumes.Volumes ?? []).map(({ Name, CreatedAt }) =>
      entry(Name, Date.parse(CreatedAt), `/volumes/${Name}?force=1`),
    ),
    ...images.map(({ Id, Created }) => entry(Id, Created * 1000, `/images/${Id.replace(':', '%3A')}`)),
  ];
}

/** Removes what matches the filters; waits if some of it was created just now, because its creator may not be done. */
async function prune(): Promise<void> {
  const since = Date.now();
  for (const filter of filters)
    for (const { found, remove } of await resources(filter)) {
      if (!Number.isFinite(found.created)) throw new Error(`${found.id}: no time of creation`);
      if (found.created > since) return schedule(1000);
      await ask('DELETE', `${version}${remove}`);
      console.log(`removed ${remove}`);
    }
  console.log('done');
  process.exit(0);
}

function schedule(delay: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => void prune(), delay);
}

const reconnection = milliseconds(process.env['RYUK_RECONNECTION_TIMEOUT'] ?? '10s');

function serve(client: Socket): void {
  clients += 1;
  clearTimeout(timer);
  let rest = '';
  client.setEncoding('utf8').on('data', (text) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.map((each) => each.replace(/\r$/, '')).filter((each) => each !== '')) {
      filters.add(encodeFilter(line));
      client.write('ACK\n');
    }
  });
  client.on('error', () => {});
  client.once('close', () => {
    clients -= 1;
    if (clients === 0) schedule(reconnection);
  });
}

const { ApiVersion } = (await ask('GET', '/version')) as { ApiVersion: string };
version = `/v${ApiVersion}`;
await ask('GET', `${version}/_ping`);
createServer(serve).listen(8080, () => console.log('Started'));
schedule(milliseconds(process.env['RYUK_CONNECTION_TIMEOUT'] ?? '60s'));
