/** The time of a trace of a reachable target on another host, whose daemon observes its part when it is asked through its API. */
import { join } from 'node:path';
import { findHost } from '@netyard/lab';
import { makeCertificates } from '../../e2e/support/certificates.ts';
import { docker, engineIn, setUpEngine } from '../engine.ts';
import { inLab, output } from '../in-lab.ts';
import { timed } from '../measure.ts';
import { image } from '../scenarios.ts';

const lab = 'bench-trace-hosts';
const netyard = join(import.meta.dirname, '../../bin/netyard');
const members = {
  server1: { address: '172.30.0.1', subnet: '192.168.11.0/24', bip: '192.168.11.1/24' },
  server2: { address: '172.30.0.2', subnet: '192.168.12.0/24', bip: '192.168.12.1/24' },
} as const;
type Name = keyof typeof members;
const others: Readonly<Record<Name, Name>> = { server1: 'server2', server2: 'server1' };
const port = 2376;

/** Milliseconds of each trace, from the start of the command to its end. */
export async function traceAcrossHosts({ rounds, archive }: { rounds: number; archive: string }): Promise<number[]> {
  const { server1, server2 } = members;
  const certificates = makeCertificates({ server1: server1.address, server2: server2.address });
  const tls = (name: Name, [ca, certificate, key]: readonly [string, string, string]): string[] => [
    ...[ca, certificates.ca, certificate, certificates.certificate(name), key, certificates.key(name)],
  ];
  const hostOf = (name: Name) => ({
    ...{ address: `${members[name].address}/16`, bip: members[name].bip },
    daemon: ['-H', `tcp://0.0.0.0:${port}`, '--tlsverify', ...tls(name, ['--tlscacert', '--tlscert', '--tlskey'])],
  });
  const hosts = { server1: hostOf('server1'), server2: hostOf('server2') };
  try {
    return await inLab(JSON.stringify({ name: lab, switch: '172.30.0.0/16', hosts }), async () => {
      for (const name of ['server1', 'server2'] as const) {
        const { address, subnet } = members[others[name]];
        const api = ['--api', `https://${address}:${port}`, ...tls(name, ['--api-ca', '--api-cert', '--api-key'])];
        const peer = ['peer', 'add', others[name], '--address', address, '--subnet', subnet, ...api];
        await output(findHost(`${lab}/${name}`), [netyard, ...peer]);
        const engine = engineIn(lab, 'netyard', name);
        await setUpEngine(engine, archive);
        await docker(engine, 'run', '-d', '--name', 'far', image, 'sleep', '1000000');
      }
      const command = [netyard, 'trace', 'far', 'server2/far'];
      const trace = (): Promise<string> => output(findHost(`${lab}/server1`), command);
      await trace();
      const times: number[] = [];
      for (let round = 0; round < rounds; round += 1) times.push(await timed(trace));
      return times;
    });
  } finally {
    certificates.remove();
  }
}
