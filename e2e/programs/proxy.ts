/**
 * A reverse proxy that finds its services as Traefik does: it lists and inspects containers through the mounted socket,
 * reads the rule `Host(…)` of their labels, and looks again at each start, end and change of health.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { ask, open } from './docker-socket.ts';

interface Container {
  Config: { Labels: Record<string, string> | null };
  State: { Health?: { Status: string } };
  HostConfig: { NetworkMode: string };
  NetworkSettings: { Ports: Record<string, unknown> | null; Networks: Record<string, { IPAddress: string }> };
}

interface Server {
  host: string;
  port: number;
}

const version = `/v${process.env['API_VERSION'] ?? '1.24'}`;
let routes = new Map<string, Server[]>();
let requests = 0;

/** The address of a container in the network that its labels name, else in its first one. */
function addressOf({ Config, HostConfig, NetworkSettings }: Container): string | undefined {
  const { Networks } = NetworkSettings;
  const named = Config.Labels?.['traefik.docker.network'] ?? HostConfig.NetworkMode;
  return (Networks[named] ?? Object.values(Networks)[0])?.IPAddress;
}

/** The port of the label, else the lowest exposed one. */
function portOf({ Config, NetworkSettings }: Container): number {
  const label = Object.entries(Config.Labels ?? {}).find(([name]) => name.endsWith('.loadbalancer.server.port'));
  const exposed = Object.keys(NetworkSettings.Ports ?? {}).map((key) => Number.parseInt(key, 10));
  return label ? Number(label[1]) : Math.min(...exposed);
}

function ruleOf({ Config }: Container): string | undefined {
  const { 'traefik.enable': enabled, ...labels } = Config.Labels ?? {};
  const rule = Object.entries(labels).find(([name]) => /^traefik\.http\.routers\.\w+\.rule$/.test(name))?.[1];
  return enabled === 'true' ? /^Host\(`(.*)`\)$/.exec(rule ?? '')?.[1] : undefined;
}

async function findRoutes(): Promise<Map<string, Server[]>> {
  const found = new Map<string, Server[]>();
  const listed = (await ask('GET', `${version}/containers/json?limit=0`)) as { Id: string }[];
  for (const { Id } of listed) {
    const container = (await ask('GET', `${version}/containers/${Id}/json`)) as Container;
    const [name, host, health] = [ruleOf(container), addressOf(container), container.State.Health?.Status];
    if (name === undefined || !host || (health !== undefined && health !== 'healthy')) continue;
    found.set(name, [...(found.get(name) ?? []), { host, port: portOf(container) }]);
  }
  return found;
}

async function refresh(): Promise<void> {
  try {
    routes = await findRoutes();
  } catch (error) {
    console.log(`routes are not refreshed: ${String(error)}`); // a container was removed meanwhile: an event follows
  }
}

/** Refreshes the routes at events, one after the other. */
async function watch(): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ type: { container: true } }));
  const events = await open('GET', `${version}/events?filters=${filters}`);
  await refresh();
  console.log(`reads the engine with API ${version}`);
  let rest = '';
  for await (const part of events.setEncoding('utf8')) {
    const lines = `${rest}${String(part)}`.split('\n');
    rest = lines.pop() ?? '';
    const actions = lines.filter((line) => line !== '').map((line) => (JSON.parse(line) as { Action: string }).Action);
    if (actions.some((action) => /^(start|die|health_status.*)$/.test(action))) await refresh();
  }
  throw new Error('the stream of events ended');
}

function forward(incoming: IncomingMessage, answer: ServerResponse): void {
  const servers = routes.get(incoming.headers.host?.replace(/:\d+$/, '') ?? '') ?? [];
  const server = servers[requests++ % Math.max(1, servers.length)];
  if (!server) return void answer.writeHead(404).end('404 page not found\n');
  // A container that ended a moment ago may swallow the connection: its event is not read yet.
  const options = { ...server, path: incoming.url, headers: incoming.headers, agent: false, timeout: 2000 };
  const outgoing = request(options, (response) => {
    answer.writeHead(response.statusCode ?? 502, { 'Content-Type': response.headers['content-type'] ?? 'text/plain' });
    response.pipe(answer);
  });
  outgoing.once('timeout', () => outgoing.destroy(new Error('timed out')));
  outgoing.once('error', () => answer.writeHead(502).end('Bad Gateway\n'));
  incoming.pipe(outgoing);
}

createServer(forward).listen(80);
await watch();
