/** Forged Ethernet frames: what they consist of, sends them from a container, and records which arrive where. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { ipToBytes, parseIp } from '@netyard/core';
import { eventually } from '@netyard/testkit';
import type { SandboxState } from '../src/index.ts';

type InNamespace = Pick<SandboxState, 'netnsPath'>;

export const foreignMac = '02:00:00:00:00:66';
export const broadcast = 'ffffffffffff';
/** Of a MAC, as in a frame in hexadecimal. */
export const digitsOf = (mac: string): string => mac.replaceAll(':', '');
export const bytesOf = (address: string): Buffer => Buffer.from(ipToBytes(parseIp(address)));

/** The Internet checksum (RFC 1071) of an even number of bytes. */
export function checksum(data: Buffer): number {
  let sum = 0;
  for (let index = 0; index < data.length; index += 2) sum += data.readUInt16BE(index);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** An ARP request or reply (RFC 826) by which `sender` claims `address`. */
export function arpFrame(
  source: string,
  sender: string,
  address: string,
  target: string,
  operation: 1 | 2 = 2,
): string {
  const start = `${broadcast}${digitsOf(source)}0806000108000604000${operation}`;
  return `${start}${digitsOf(sender)}${bytesOf(address).toString('hex')}000000000000${bytesOf(target).toString('hex')}`;
}

export const inside = ({ netnsPath }: InNamespace, ...command: string[]): string =>
  execFileSync('nsenter', [`--net=${netnsPath}`, ...command], { encoding: 'utf8' });

const sendProgram = `
  use strict; use Socket; my @frames = @ARGV;
  socket(my $s, 17, SOCK_RAW, 0) or die "socket: $!";
  my $request = pack 'a16 x24', 'eth0'; ioctl($s, 0x8933, $request) or die "SIOCGIFINDEX: $!";
  my $to = pack 'S n i S C C a8', 17, 0x0800, unpack('x16 i', $request), 1, 0, 6, "\\xff" x 6;
  for my $frame (@frames) { defined send($s, pack('H*', $frame), 0, $to) or die "send: $!"; }`;

/** Sends frames, given as hexadecimal digits, from eth0. */
export function sendFrames(attacker: InNamespace, ...frames: string[]): void {
  inside(attacker, 'perl', '-e', sendProgram, ...frames);
}

/** Records in `file` what arrives at an interface, until the test ends. Returns whether a text was received. */
export async function sniff(
  t: TestContext,
  file: string,
  { ns, link }: { ns?: string | undefined; link: string },
): Promise<(text: string) => boolean> {
  writeFileSync(file, '');
  const prefix = ns === undefined ? [] : ['nsenter', `--net=${ns}`];
  const [command = '', ...rest] = [...prefix, 'tcpdump', '-p', '-i', link, '-U', '-Q', 'in', '-w', file];
  const child = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill());
  let messages = '';
  child.stderr.on('data', (chunk) => {
    messages += chunk;
  });
  await eventually('tcpdump listens', () => messages.includes('listening on'));
  return (text) => readFileSync(file, 'latin1').includes(text);
}
