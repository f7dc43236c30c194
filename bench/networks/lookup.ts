/**
 * Resolves names with the name server of the network namespace it runs in, one after the other. Prints the milliseconds
 * of each lookup as JSON. Arguments: number of rounds, then the names.
 */
import { Resolver } from 'node:dns/promises';
import { timed } from '../measure.ts';

const [rounds = '1', ...names] = process.argv.slice(2);
const resolver = new Resolver({ timeout: 5000, tries: 1 });
resolver.setServers(['127.0.0.11']);
const samples: number[] = [];
for (const name of names) await resolver.resolve4(name); // warm-up of this program
for (let round = 0; round < Number(rounds); round += 1)
  for (const name of names) samples.push(await timed(() => resolver.resolve4(name)));
console.log(JSON.stringify(samples));
