/**
 * Removes from requests what would give access beyond the lab host, which has its own namespaces but shares the
 * machine's files and devices: host paths in mounts, devices, namespaces of host processes, and registries that are not
 * on loopback. Pure.
 */
import { type Json, registry } from './bodies.ts';

/** Fields that give a container access to the host's files, devices, processes or kernel. */
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
  if (field === 'Binds' && isHostPath(value)) return null;
  if (field === 'serveraddress') return registry;
  return field === 'IpcMode' && value === 'host' ? 'private' : value;
}

/** Encodes text as bytes, one per character. */
export const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');

/**
 * The same for the bytes of a body. Must be called last, so that no later mutation undoes it. Parses the bytes like the
 * daemon (`readJson`), which rejects a body that is not JSON.
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

/** The name of an image to pull or push, moved to the registry on loopback. */
export const onLoopback = (name: string): string => (name.startsWith(`${registry}/`) ? name : `${registry}/${name}`);
