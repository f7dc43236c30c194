/**
 * Takes out of a request what could reach beyond the lab host: it has its own namespaces, but the machine's files and
 * devices. No path of the host is mounted, no device passed, no namespace of the host's processes joined, and no
 * registry named but one on loopback. Pure.
 */
import { type Json, registry } from './bodies.ts';

/** Fields with which a container reaches the host's files, devices, processes or kernel. */
const forbidden: readonly string[] = [
  ...['Privileged', 'Devices', 'DeviceRequests', 'DeviceCgroupRules', 'PidMode', 'UTSMode', 'UsernsMode', 'Source'],
  ...['CgroupParent', 'Runtime', 'device', 'OomScoreAdj', 'CgroupnsMode', 'Isolation', 'MaskedPaths', 'ReadonlyPaths'],
];

const isHostPath = (value: Json): boolean => typeof value === 'string' && /^[\s/.~]/.test(value);

export function restrictBody(value: Json, field = ''): Json {
  if (Array.isArray(value)) {
    const items = field === 'Binds' ? value.filter((item) => !isHostPath(item)) : value;
    return items.map((item) => restrictBody(item, field));
  }
  if (value !== null && typeof value === 'object') {
    const kept = Object.entries(value).filter(([name]) => !forbidden.includes(name));
    return Object.fromEntries(kept.map(([name, item]) => [name, restrictBody(item, name)]));
  }
  if (field === 'serveraddress') return registry;
  return field === 'IpcMode' && value === 'host' ? 'private' : value;
}

/** Text as the bytes that are sent, one a character. */
export const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');

/**
 * The same for a body as it is sent: to be called last, so that no change of the bytes can undo it. What the daemon's
 * parser (`readJson`) makes of them is restricted; what is no JSON it refuses whole.
 */
export function restrictBytes(bytes: string): string {
  let value: Json;
  try {
    value = JSON.parse(new TextDecoder().decode(Buffer.from(bytes, 'latin1')));
  } catch {
    return bytes;
  }
  return bytesOf(JSON.stringify(restrictBody(value)));
}

/** `name` of an image to pull or push: on loopback, whatever it was. */
export const onLoopback = (name: string): string => (name.startsWith(`${registry}/`) ? name : `${registry}/${name}`);
