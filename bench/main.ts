/** The words of script/bench: which part, and with how much effort. */
import { parseArgs } from 'node:util';
import { oneHost } from './one-host.ts';
import { traffic } from './traffic/index.ts';

const usage = `Usage: script/bench [OPTIONS] [one-host|traffic]

Measures Netyard on this machine beside what else does the same, all in one run and in turns, in a lab that is gone
afterwards. Both parts unless one is named. Needs root, and Debian's docker.io.

  one-host   docker run, rm, network connect and memory, beside dockerd; one endpoint beside plain system calls
  traffic    TCP between containers of two hosts: peers over routes and VXLAN, beside host to host, the same made
             by hand with ip and iptables, and dockerd's Swarm overlay; of one bridge; through a published port

Options:
  --rounds N     rounds that count (default 20; traffic: 15)
  --crowd N      one-host: containers at once (default 200)
  --seconds N    traffic: seconds of throughput in each round (default 2)
  --help         this text

Examples:
  script/bench
  script/bench traffic --rounds 5 --seconds 1
  script/bench one-host --crowd 50`;

function number(text: string, name: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new Error(`--${name}: ${text} is not a number from 1 to 999999`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: 'string' },
      crowd: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '2' },
      archive: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  if (values.help) return console.log(usage);
  const [part = 'all', ...more] = positionals;
  if (!['all', 'one-host', 'traffic'].includes(part) || more.length > 0)
    throw new Error(`no such part: ${positionals.join(' ')}; see script/bench --help`);
  if (values.archive === '') throw new Error('no image: run script/bench');
  const rounds = (byDefault: number): number => number(values.rounds ?? String(byDefault), 'rounds');
  const { archive } = values;
  const crowd = number(values.crowd, 'crowd');
  const seconds = number(values.seconds, 'seconds');
  if (part !== 'traffic') await oneHost({ rounds: rounds(20), crowd, archive });
  if (part === 'all') console.log('');
  if (part !== 'one-host') await traffic({ rounds: rounds(15), seconds, archive });
}

try {
  await main();
} catch (error) {
  console.error(`script/bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
