/** Counts of dropped packets: in whose namespace, at which interface, for which reason; packets that arrive cost nothing. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { before, test } from 'node:test';
import { isNetyardError, type NetyardError } from '@netyard/core';
import { type DropCount, type DropCounter, hasErrno, openDropCounter, readLinkNames } from '@netyard/kernel';
import { eventually, inFreshHost, sh } from '@netyard/testkit';
import { killBpfHolder } from './bpf-holder.ts';
import { addNamespaces, table } from './trace-host.ts';

const host = inFreshHost(import.meta.url);
const options = host.skip === false ? { skip: missingBpf() } : host;
before(async () => {
  if (options.skip !== false) return;
  await addNamespaces();
  // The kernel's own packets of IPv6, such as reports of group membership, have no receiver here and would be counted.
  for (const enter of ['', ...['a', 'b', 'far'].map((name) => `ip netns exec ${name} `)])
    sh(`${enter}sysctl -qw net.ipv6.conf.all.disable_ipv6=1`);
});

function missingBpf(): string | false {
  try {
    openDropCounter().close();
    return false;
  } catch (error) {
    if (isNetyardError(error, 'unavailable') || hasErrno(error, 'EPERM')) return (error as NetyardError).message;
    throw error;
  }
}

const paths = { host: '/proc/self/ns/net', a: '/run/netns/a', far: '/run/netns/far' } as const;

/** `a eth0 NETFILTER_DROP 5`; without drops elsewhere on this kernel. */
function describe(counts: readonly DropCount[]): string[] {
  return counts.flatMap(({ namespace, linkIndex, reason, packets }) => {
    const found = Object.entries(paths).find(([, path]) => statSync(path).ino === namespace);
    if (!found) return [];
    return [`${found[0]} ${readLinkNames(found[1]).get(linkIndex) ?? '-'} ${reason} ${packets}`];
  });
}

async function counted(work: (counter: DropCounter) => void | Promise<void>): Promise<string[]> {
  const counter = openDropCounter();
  try {
    await work(counter);
    return describe(counter.take());
  } finally {
    counter.close();
  }
}

/** Sends datagrams to port 99. */
const send = (ns: string, address: string, times: number, bytes = 8): void => {
  const code = `const s=require('dgram').createSocket('udp4');let n=0;
    const next=()=>n++<${times}?s.send(Buffer.alloc(${bytes}),99,'${address}',next):s.close();next()`;
  sh(`ip netns exec ${ns} ${process.execPath} -e "${code.replaceAll('\n', '')}"`);
};

test('drops are counted with namespace, interface and reason, and packets that arrive are not', options, async () => {
  table('table ip fw {\n chain forw {\n type filter hook forward priority 0; udp dport 99 drop\n }\n}');
  assert.deepEqual(await counted(() => send('a', '10.8.0.2', 7)), ['host br0 NETFILTER_DROP 7']);
  sh('nft delete table ip fw');
  const inside = 'ip netns exec a nft';
  sh(`${inside} add table ip fw; ${inside} 'add chain ip fw o { type filter hook output priority 0; }'
    ${inside} add rule ip fw o udp dport 99 drop`);
  // A local packet is dropped before it has a device.
  assert.deepEqual(await counted(() => send('a', '10.8.0.2', 3)), ['a - NETFILTER_DROP 3']);
  sh(`${inside} delete table ip fw`);
  assert.deepEqual(await counted(() => send('a', '10.8.0.2', 4)), ['far eth0 NO_SOCKET 4']);
  sh('ip route add blackhole 10.78.0.0/16');
  assert.deepEqual(await counted(() => send('a', '10.78.0.1', 5)), ['host br0 NOT_SPECIFIED 5']);
  const counts = await counted((counter) => {
    send('a', '10.8.0.2', 2);
    counter.take();
    sh('ping -c 20 -i 0.01 10.8.0.2');
  });
  assert.deepEqual(counts, [], 'what was read is gone, and 20 packets and answers are no drops');
});

test('a receiver with a full buffer is named by its namespace', options, async () => {
  const code = `require('dgram').createSocket({type:'udp4',recvBufferSize:4096}).bind(99,()=>console.log('bound'))`;
  const child = spawn('ip', ['netns', 'exec', 'far', process.execPath, '-e', code], {
    ...{ stdio: ['ignore', 'pipe', 'inherit'] },
  });
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  const counts = await counted(() => send('a', '10.8.0.2', 60, 1000));
  child.kill('SIGKILL');
  await once(child, 'close');
  assert.match(counts.join('\n'), /^far (?:eth0|-) SOCKET_RCVBUFF \d+$/m);
});

/** This process's descriptors of BPF. */
const objects = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return /bpf/.test(readlinkSync(`/proc/self/fd/${fd}`)) ? [fd] : [];
    } catch {
      return [];
    }
  });

test('closing a counter leaves nothing, and so does a killed process', options, async () => {
  const counter = openDropCounter();
  assert.notEqual(objects().length, 0);
  counter.close();
  counter.close();
  assert.deepEqual(counter.take(), []);
  await eventually('all objects are closed', () => objects().length === 0);
  await killBpfHolder(`import { openDropCounter } from '@netyard/kernel'; openDropCounter()`);
});
