/** The words of script/bench: which part, and with how much effort. */
import { parseArgs } from 'node:util';
import { archives } from './archives.ts';
import { cluster } from './cluster/index.ts';
import { oneHost } from './one-host.ts';
import { stall } from './stall/index.ts';
import { kinds } from './stall/noise.ts';
import { traffic } from './traffic/index.ts';

const usage = `Usage: script/bench [OPTIONS] [one-host|stall|traffic|cluster|archives]

Measures Netyard on this machine beside what else does the same, all in one run and in turns, in a lab that is gone
afterwards. All parts unless one is named. Needs root, and Debian's docker.io.

  one-host   docker run, rm, network connect and memory, beside dockerd; one endpoint beside plain system calls
  stall      GET /version and docker run --rm while 1, 4 and 8 containers write as fast as they can and 20 clients
             follow their logs, beside the same when it is quiet and beside dockerd; how fast output is taken
  traffic    TCP between containers of two hosts: peers over routes and VXLAN, beside host to host, the same made
             by hand with ip and iptables, and dockerd's Swarm overlay; VXLAN through a router; of one bridge; through a
             published port
  cluster    a daemon beside many hosts of a cluster on Debian's etcd: all at once, one joining and one leaving
             beside a few and beside many, memory; beside one ip -batch and the kernel's part alone
  archives   docker cp, export, save and load of 300 MB and of 10,000 files, beside dockerd

Options:
  --rounds N     rounds that count (default 20; traffic: 15; cluster: 50; archives: 7); stall: docker runs in each row, and ten
                 times as many GET /version
  --crowd N      one-host: containers at once (default 200)
  --hosts N      cluster: hosts at once (default 1000)
  --seconds N    traffic: seconds of throughput in each round (default 2)
  --containers N,…   stall: noisy containers, a row for each number (default 1,4,8)
  --noise KIND,…     stall: what they write: empty, short, blocks (default all)
  --engine NAME,…    stall: netyard, dockerd (default both)
  --help         this text

Examples:
  script/bench
  script/bench traffic --rounds 5 --seconds 1
  script/bench one-host --crowd 50
  script/bench stall --containers 8 --noise short
  script/bench stall --engine netyard
  script/bench cluster --hosts 500`;

const parts = ['one-host', 'stall', 'traffic', 'cluster', 'archives'] as const;

function number(text: string, name: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new Error(`--${name}: ${text} is not a number from 1 to 999999`);
}

/** The parts of a list with commas, each one of `known`. */
function choices<T extends string>(text: string, known: readonly T[], name: string): T[] {
  return text.split(',').map((word) => {
    const choice = known.find((one) => one === word);
    if (choice === undefined) throw new Error(`--${name}: ${word} is none of ${known.join(', ')}`);
    return choice;
  });
}

const engines = ['netyard', 'dockerd'] as const;
const noiseNames = ['empty', 'short', 'blocks'] as const;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: 'string' },
      crowd: { type: 'string', default: '200' },
      hosts: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '2' },
      containers: { type: 'string', default: '1,4,8' },
      noise: { type: 'string', default: noiseNames.join() },
      engine: { type: 'string', default: engines.join() },
      archive: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  if (values.help) return console.log(usage);
  const [part = 'all', ...more] = positionals;
  if (!['all', ...parts].includes(part) || more.length > 0)
    throw new Error(`no such part: ${positionals.join(' ')}; see script/bench --help`);
  if (values.archive === '') throw new Error('no image: run script/bench');
  const rounds = (byDefault: number): number => number(values.rounds ?? String(byDefault), 'rounds');
  const { archive } = values;
  const crowd = number(values.crowd, 'crowd');
  const seconds = number(values.seconds, 'seconds');
  const hosts = number(values.hosts, 'hosts');
  const counts = values.containers.split(',').map((text) => number(text, 'containers'));
  const noises = choices(values.noise, noiseNames, 'noise').map((word) => kinds[word]);
  const names = choices(values.engine, engines, 'engine');
  const work = {
    'one-host': () => oneHost({ rounds: rounds(20), crowd, archive }),
    stall: () => stall({ rounds: rounds(20), archive, counts, kinds: noises, names }),
    traffic: () => traffic({ rounds: rounds(15), seconds, archive }),
    cluster: () => cluster({ rounds: rounds(50), hosts }),
    archives: () => archives({ rounds: rounds(7), archive }),
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
