/** Options of the `local` volume driver: `type`, `device`, `o` as for mount(8), and `size`. Checked at create. Pure. */
import { isIP, isIPv4 } from 'node:net';
import { NetyardError } from '@netyard/core';
import { type MountCall, parseMountOptions } from '@netyard/kernel';

type Options = Readonly<Record<string, string>>;

const known = ['type', 'o', 'device', 'size'];
/** The options that each option requires, in the order in which they are reported. */
const required: readonly (readonly [option: string, needs: readonly string[]])[] = [
  ['device', ['type']],
  ['type', ['device']],
  ['o', ['device', 'type']],
];

/** Throws `invalid` with Docker's message. */
export function checkLocalOptions(volume: string, options: Options): void {
  const refuse = (text: string): never => {
    throw new NetyardError('invalid', `create ${volume}: ${text}`);
  };
  for (const key of Object.keys(options)) if (!known.includes(key)) refuse(`invalid option: ${JSON.stringify(key)}`);
  if (options['type'] === 'cifs' && /^(\w+:)?\/\/[^/]*:\d+(\/|$)/.test(options['device'] ?? ''))
    refuse("port not allowed in CIFS device URL, include 'port' in 'o='");
  const { size } = options;
  if (size !== undefined) {
    const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?i?b?)$/i.exec(size);
    if (!match) refuse(`invalid size: '${size}'`);
    else if (Number(match[1]) > 0) refuse('quota size requested but no quota support');
  }
  for (const [option, needs] of required)
    for (const need of needs)
      if (options[option] !== undefined && options[need] === undefined)
        refuse(`missing required option: ${JSON.stringify(need)}`);
}

/** Whether a file system is mounted for a volume with these options while it is in use. */
export const needsMount = (options: Options): boolean => Boolean(options['device'] || options['type']);

/**
 * The host name that has to be resolved for the kernel: in a network file system's `addr=`, or else in the device of
 * CIFS, `//HOST/SHARE`.
 */
export function addressToResolve({ type = '', device = '', o = '' }: Options): string | undefined {
  if (type !== 'nfs' && type !== 'cifs') return undefined;
  const address = addressIn(o);
  if (address) return isIPv4(address) ? undefined : address;
  const host = type === 'cifs' ? cifsHost(device) : undefined;
  return host !== undefined && isIP(host) === 0 ? host : undefined;
}

const addressIn = (o: string): string | undefined => /(?:^|,)addr=([^,]*)/.exec(o)?.[1];
const cifsHost = (device: string): string | undefined => /^(?:\w+:)?\/\/([^/]+)/.exec(device)?.[1];

/** @param address the resolved `addressToResolve` */
export function planVolumeMount(options: Options, address?: string): MountCall {
  const { type = '', device = '', o = '' } = options;
  if (device === '') throw new NetyardError('failed', 'missing device in volume options');
  const named = addressToResolve(options);
  if (named === undefined || address === undefined) return { source: device, type, ...parseMountOptions(o) };
  if (addressIn(o)) {
    return { source: device, type, ...parseMountOptions(o.replace(/(^|,)addr=[^,]*/, `$1addr=${address}`)) };
  }
  return { source: device.replace(`//${named}`, `//${address}`), type, ...parseMountOptions(o) };
}

/** Docker's description of a failed mount; a password is masked. */
export function describeMount(target: string, { source, flags, data }: MountCall): string {
  const shown = data.replace(/(^|,)password=[^,]*/, '$1password=********');
  const parts = [`mount ${source}:${target}`];
  if (flags !== 0) parts.push(`flags: 0x${flags.toString(16)}`);
  if (shown !== '') parts.push(`data: ${shown}`);
  return parts.join(', ');
}
