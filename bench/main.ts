/** The command line of script/bench: which part runs, and with how many rounds. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cluster } from './cluster/index.ts';
import { commands } from './commands/index.ts';
import { compareCompose } from './compose/index.ts';
import { copies } from './copies.ts';
import { health } from './health.ts';
import { images } from './images/index.ts';
import { memory } from './memory.ts';
import { networks } from './networks/index.ts';
import { oneHost } from './one-host.ts';
import { comparePage } from './page/index.ts';
import { requests } from './requests.ts';
import { stall } from './stall/index.ts';
import { kinds } from './stall/noise.ts';
import { formatForDocument, formatForTerminal, replacePart, type Table } from './table.ts';
import { trace } from './trace/index.ts';
import { traffic } from './traffic/index.ts';

const usage = `Usage: script/bench [OPTIONS] [one-host|networks|compose|stall|traffic|trace|cluster|images|copies|page|commands|memory|health|requests]

Compares Netyard on this machine with alternatives, alternating between them in one run, in a lab that is removed at the
end. Runs all parts unless one is named. Needs root, and Debian's docker.io.

  one-host   docker run, rm, network connect and memory, compared with dockerd; attaching one endpoint, compared with
             plain system calls
  stall      GET /version and docker run --rm while 1, 4 and 8 containers write as fast as they can and 20 clients
             follow their logs, compared with the idle engine before and after, and with dockerd; throughput of the
             output; measures again what other programs disturbed
  traffic    TCP between containers of two hosts: peers over routes and VXLAN, compared with host to host, with manual
             setups of ip and iptables, and with dockerd's Swarm overlay; VXLAN through a router; TCP on one bridge;
             TCP through a published port
  trace      round trips between two containers while netyard trace observes the way between them, and during whole
             traces, compared with the same without a trace; time of a trace on one host and across two
  cluster    a daemon in a cluster of many hosts on Debian's etcd: all hosts join at once; one host joins and one leaves
             among few and among many; memory; compared with one ip -batch and with the kernel package alone
  images     docker load, save, push and pull of 600 MB, and the disk that a loaded image takes, compared with dockerd
  copies     docker cp of 300 MB and of 10,000 files, in and out, and export, compared with dockerd
  commands   netyard ps and run --rm, compared with the docker CLI on the same daemon and on dockerd; how soon the daemons
             answer after their start, with no and with 50 running containers
  memory     memory of the daemons, and of containerd and shims beside them, with 200 containers of which 51 run, compared
             with dockerd
  health     processor time of 40 health checks a second, compared with dockerd
  requests   docker inspect of 50 containers and 100 MB of input of docker exec, compared with dockerd
  page       the topology page with 300 containers in Chromium: the first picture, and frames while rates change, compared
             with an empty page; the daemon's CPU with three open pages, compared with none

Options:
  --rounds N     measured rounds (default 20; networks: 60; cluster: 50; traffic: 15; trace, images, copies, commands,
                 memory, health, requests and compose: 7; page: 3);
                 stall: docker runs per row, and groups of its 1000 or more GET /version
  --fill N       one-host: number of containers on the full host (default 200); page: on the measured daemon's (default 60)
  --count N      networks: number of networks, of names, and of containers in one network (default 1000)
  --hosts N      cluster: number of hosts (default 1000)
  --seconds N    traffic: seconds of throughput per round (default 2); page: seconds per view and round (default 6)
  --containers N,…   stall: number of writing containers, one row each (default 1,4,8)
  --noise KIND,…     stall: their output: empty, short, blocks (default all)
  --engine NAME,…    stall: netyard, dockerd (default both)
  --table FILE   write the tables of the measured parts to this document (docs/performance.md), between their markers
  --help         Print this text

Examples:
  script/bench
  script/bench traffic --rounds 5 --seconds 1
  script/bench one-host --fill 50
  script/bench stall --containers 8 --noise short
  script/bench stall --engine netyard
  script/bench cluster --hosts 500
  script/bench commands --table docs/performance.md`;

const parts = [
  'one-host',
  'networks',
  'compose',
  'stall',
  'traffic',
  'trace',
  'cluster',
  'images',
  'copies',
  'page',
  'commands',
  'memory',
  'health',
  'requests',
] as const;

function number(text: string, name: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new Error(`--${name}: ${text} is not a number from 1 to 999999`);
}

/** The items of a comma-separated list, each one of `known`. */
function choices<T extends string>(text: string, known: readonly T[], name: string): T[] {
  return text.split(',').map((item) => {
    const choice = known.find((one) => one === item);
    if (choice === undefined) throw new Error(`--${name}: ${item} is none of ${known.join(', ')}`);
    return choice;
  });
}

const engines = ['netyard', 'dockerd'] as const;
const noiseNames = ['empty', 'short', 'blocks'] as const;

/** Updates a part of a document, if one was named. */
function update(document: string, part: string, text: string): void {
  if (document !== '') writeFileSync(document, replacePart(readFileSync(document, 'utf8'), part, text));
}

/** Prints a table, and updates its part of a document if one was named. */
function report(table: Table, document: string): void {
  console.log(formatForTerminal(table));
  update(document, table.part, formatForDocument(table));
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: 'string' },
      fill: { type: 'string' },
      count: { type: 'string', default: '1000' },
      hosts: { type: 'string', default: '1000' },
      seconds: { type: 'string' },
      containers: { type: 'string', default: '1,4,8' },
      noise: { type: 'string', default: noiseNames.join() },
      engine: { type: 'string', default: engines.join() },
      table: { type: 'string', default: '' },
      archive: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  if (values.help) return console.log(usage);
  const [part = 'all', ...more] = positionals;
  if (!['all', ...parts].includes(part) || more.length > 0)
    throw new Error(`unknown part: ${positionals.join(' ')}; see script/bench --help`);
  if (values.archive === '') throw new Error('no image: run script/bench instead of this file');
  const rounds = (byDefault: number): number => number(values.rounds ?? String(byDefault), 'rounds');
  const { archive } = values;
  const fill = (byDefault: number): number => number(values.fill ?? String(byDefault), 'fill');
  const seconds = (byDefault: number): number => number(values.seconds ?? String(byDefault), 'seconds');
  const hosts = number(values.hosts, 'hosts');
  const count = number(values.count, 'count');
  const counts = values.containers.split(',').map((text) => number(text, 'containers'));
  const noises = choices(values.noise, noiseNames, 'noise').map((name) => kinds[name]);
  const names = choices(values.engine, engines, 'engine');
  const work = {
    'one-host': () => oneHost({ rounds: rounds(20), fill: fill(200), archive }),
    networks: () => networks({ rounds: rounds(60), count, archive }),
    compose: () => compareCompose({ rounds: rounds(7), archive }),
    stall: async () =>
      update(values.table, 'stall', await stall({ rounds: rounds(20), archive, counts, kinds: noises, names })),
    traffic: () => traffic({ rounds: rounds(15), seconds: seconds(2), archive }),
    trace: () => trace({ rounds: rounds(7), archive }),
    cluster: () => cluster({ rounds: rounds(50), hosts }),
    images: async () => report(await images({ rounds: rounds(7) }), values.table),
    copies: async () => report(await copies({ rounds: rounds(7), archive }), values.table),
    page: () => comparePage({ rounds: rounds(3), seconds: seconds(6), containers: fill(60), archive }),
    commands: async () => report(await commands({ rounds: rounds(7), archive }), values.table),
    memory: async () => report(await memory({ rounds: rounds(7), archive }), values.table),
    health: async () => report(await health({ rounds: rounds(7), archive }), values.table),
    requests: async () => report(await requests({ rounds: rounds(7), archive }), values.table),
  };
  for (const [index, name] of parts.filter((one) => part === 'all' || part === one).entries()) {
    if (index > 0) console.log('');
    await work[name]();
  }
}

try {
  await main();
} catch (error) {
  console.error(`script/bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
