/** Netyard's own commands: messages and exit codes of invalid command lines, and without a daemon. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { systemClock } from '@netyard/core';
import { main } from '../netyard.ts';

async function run(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const env = { NETYARD_HOST: 'unix:///no/such/netyard.sock', PATH: process.env['PATH'] };
  const outside = { stdin: new PassThrough(), stdout, stderr, env, clock: systemClock, cwd: '/' };
  const code = await main(line.split(' ').slice(1), outside);
  const textOf = (stream: PassThrough): string => String(stream.read() ?? '');
  return { code, stdout: textOf(stdout), stderr: textOf(stderr) };
}

const toB = '--address 172.16.2.102 --subnet 192.168.12.0/24';
const seeHelp = (command: string): string => `\n\nUsage:  ${command} `;
const noDaemon =
  'Cannot connect to the Netyard daemon at unix:///no/such/netyard.sock. Is the daemon running?\n' +
  'start it with `netyard daemon`, or set its address with NETYARD_HOST or -H\n';

/** Command line, exit code and beginning of stderr. */
const wrong: [string, number, string][] = [
  [
    `netyard peer add b ${toB} --via foo`,
    125,
    `invalid argument "foo" for "--via" flag: it must be auto, route or vxlan${seeHelp('netyard peer add')}`,
  ],
  ['netyard peer add b --address x', 125, 'invalid argument "x" for "--address" flag: invalid IP address: x\n'],
  ['netyard peer add b --subnet 1.2.3.4', 125, 'invalid argument "1.2.3.4" for "--subnet" flag: invalid CIDR address'],
  ['netyard peer add b --subnet 10.1.0.0/16', 1, 'a peer needs --address: '],
  [`netyard peer add b ${toB} --api https://x:1`, 1, "a peer's API needs all of --api, --api-ca, --api-cert and"],
  ['netyard peer add', 1, `netyard: 'netyard peer add' requires 1 argument${seeHelp('netyard peer add')}`],
  ['netyard capture web -c 0', 125, 'invalid argument "0" for "-c, --count" flag: it must be a whole number above 0\n'],
  ['netyard capture web -w /no/such/file', 1, 'invalid output path: directory "/no/such" does not exist\n'],
  ['netyard capture', 1, "netyard: 'netyard capture' requires at least 1 argument\n"],
  ['netyard explain', 1, "netyard: 'netyard explain' requires 1 argument\n"],
  ['netyard explain ', 1, 'invalid name of a container, network or peer: value is empty\n'],
  [
    'netyard network create --scope cluster -d bridge x',
    1,
    'networks of scope cluster have the driver overlay, not br',
  ],
  ['netyard network create --scope cluster x', 1, noDaemon],
  ['netyard journal --diff 5m --since 1m', 1, '--diff excludes --since and --until\ngive the times as arguments, '],
  ['netyard trace a b:80/foo', 125, 'invalid target: b:80/foo: the protocol must be tcp or udp\n'],
  ['netyard trace a b:70000', 125, 'invalid target: b:70000: the port must be a number from 1 to 65535\n'],
  ['netyard cluster leave now', 1, "netyard: 'netyard cluster leave' accepts no arguments\n"],
  ['netyard lab up /no/such.yaml', 1, 'cannot read /no/such.yaml: no such file or directory\n'],
  ['netyard lab up /', 1, 'cannot read /: is a directory\n'],
  ['netyard lab up', 1, `netyard: 'netyard lab up' requires 1 argument${seeHelp('netyard lab up')}[OPTIONS] FILE\n`],
  ['netyard lab kill', 1, `netyard: 'netyard lab kill' requires at least 1 argument${seeHelp('netyard lab kill')}`],
  ['netyard lab ls x', 1, `netyard: 'netyard lab ls' accepts no arguments${seeHelp('netyard lab ls')}`],
  ['netyard lab nope', 1, `netyard: unknown command: netyard lab nope${seeHelp('netyard lab')}COMMAND\n`],
  ['netyard lab up --nope x', 125, `unknown flag: --nope${seeHelp('netyard lab up')}`],
  ['netyard lab up -nx y', 125, `unknown shorthand flag: 'n' in -nx${seeHelp('netyard lab up')}`],
  ['netyard lab ls --format', 125, `flag needs an argument: --format${seeHelp('netyard lab ls')}`],
  ['netyard lab link a b', 1, 'invalid argument "b" for STATE: allowed choices are down, up\n'],
  [`netyard peer add b ${toB}`, 1, noDaemon],
  ...[
    'peer ls',
    'peer rm b',
    'cluster ls',
    'cluster leave',
    'cluster release b',
    'explain web',
    'capture web -w -',
  ].map((command): [string, number, string] => [`netyard ${command}`, 1, noDaemon]),
];

for (const [line, code, message] of wrong)
  test(line, async () => {
    const result = await run(line);
    assert.ok(result.stderr.startsWith(message), result.stderr);
    assert.deepEqual([result.code, result.stdout], [code, '']);
  });
