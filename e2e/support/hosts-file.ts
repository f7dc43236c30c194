/** A container's /etc/hosts as Docker writes it. Pure. */

const head = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'ff00::0\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** The whole file: links first, the container's own line last. Each line is address, TAB, names. */
export function hostsFile(lines: readonly [address: string, names: string][]): string {
  return [...head, ...lines.map(([address, names]) => `${address}\t${names}`), ''].join('\n');
}
