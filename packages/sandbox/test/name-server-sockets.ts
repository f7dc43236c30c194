/** The sockets of the name servers that this process has open in the namespaces of containers. */
import { readdirSync, readlinkSync } from 'node:fs';
import { sh } from '@netyard/testkit';

/** 127.0.0.11:53 in /proc/net/udp and /proc/net/tcp. */
const nameServer = '0B00007F:0035';

/** As `socket:[INODE]`. A running name server has two: UDP, and TCP to listen on. */
export function nameServerSockets({ netnsPath = '' }: { netnsPath?: string }): string[] {
  const lines = sh(`nsenter --net=${netnsPath} cat /proc/net/udp /proc/net/tcp`).split('\n');
  const fields = lines.map((line) => line.trim().split(/\s+/));
  const bound = fields.filter(([, local]) => local === nameServer).map((each) => `socket:[${each[9]}]`);
  return stillOpen(bound);
}

/** Those that this process has open, also when their namespace is gone. */
export const stillOpen = (sockets: readonly string[]): string[] => {
  const open = new Set(openDescriptors());
  return sockets.filter((socket) => open.has(socket));
};

/** What the descriptors of this process refer to; the one that reads their list is missing. */
export const openDescriptors = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
