/** Parses `-v`, `--mount` and `--tmpfs`. Pure: the working directory is a parameter. */
import { resolve } from 'node:path';
import type { Mount } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { parseBool, parseBytes } from '../program/values.ts';
import { splitCsv } from './csv.ts';

const invalid = (text: string): NetyardError => new NetyardError('invalid', text);

export interface Volumes {
  /** Anonymous volumes: only a path in the container. */
  volumes: Record<string, Record<string, never>>;
  binds: string[];
}

export function parseVolumes(texts: readonly string[], cwd: string): Volumes {
  const result: Volumes = { volumes: {}, binds: [] };
  for (const text of texts) {
    if (text === '') throw invalid('invalid empty volume spec');
    const [source = '', ...rest] = text.split(':');
    if (rest.length === 0) {
      result.volumes[text] = {};
      continue;
    }
    if ([source, ...rest].includes('')) throw invalid(`invalid spec: ${text}: empty section between colons`);
    const host = source.startsWith('.') ? resolve(cwd, source) : source;
    result.binds.push([host, ...rest].join(':'));
  }
  return result;
}

/** `PATH[:OPTIONS]` by path. */
export function parseTmpfs(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [path = '', ...options] = text.split(':');
      return [path, options.join(':')];
    }),
  );
}

const mountTypes: readonly string[] = ['bind', 'volume', 'tmpfs'];
/** Keys that need no value. */
const bareKeys: readonly string[] = ['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive'];

/** Parses one `--mount type=bind,src=…,dst=…`. */
export function parseMount(text: string, cwd: string): Mount {
  const mount: Mount = { Type: 'volume', Target: '' };
  for (const field of splitCsv(text)) {
    const split = field.indexOf('=');
    const key = (split === -1 ? field : field.slice(0, split)).toLowerCase();
    if (split === -1 && !bareKeys.includes(key)) throw invalid(`invalid field '${field}' must be a key=value pair`);
    setField(mount, key, split === -1 ? undefined : field.slice(split + 1), field, cwd);
  }
  checkMount(mount);
  return mount;
}

function setField(mount: Mount, key: string, value: string | undefined, field: string, cwd: string): void {
  const text = value ?? '';
  const flag = (): boolean => {
    try {
      return value === undefined || parseBool(value);
    } catch {
      throw invalid(`invalid value for ${key}: ${text}`);
    }
  };
  switch (key) {
    case 'type':
      mount.Type = mountType(text.toLowerCase());
      return;
    case 'source':
    case 'src':
      mount.Source = text.startsWith('.') ? resolve(cwd, text) : text;
      return;
    case 'target':
    case 'dst':
    case 'destination':
      mount.Target = text;
      return;
    case 'readonly':
    case 'ro':
      if (flag()) mount.ReadOnly = true;
      else delete mount.ReadOnly;
      return;
    case 'consistency':
      mount.Consistency = text.toLowerCase();
      return;
  }
  if (key.startsWith('bind-')) setBindField(mount, key, text, flag, field);
  else if (key.startsWith('volume-')) setVolumeField(mount, key, text, flag, field);
  else if (key.startsWith('tmpfs-')) setTmpfsField(mount, key, text, field);
  else throw invalid(`unexpected key '${key}' in '${field}'`);
}

function mountType(text: string): Mount['Type'] {
  if (!mountTypes.includes(text))
    throw invalid(`invalid mount type ${JSON.stringify(text)}; use bind, volume or tmpfs`);
  return text as Mount['Type'];
}

function setBindField(mount: Mount, key: string, text: string, flag: () => boolean, field: string): void {
  if (key === 'bind-recursive' && text === 'enabled') return; // the default: docker sends no options either
  mount.BindOptions ??= {};
  if (key === 'bind-propagation') mount.BindOptions.Propagation = text.toLowerCase();
  else if (key === 'bind-nonrecursive') mount.BindOptions.NonRecursive = flag();
  else if (key === 'bind-recursive') setRecursion(mount.BindOptions, text);
  else throw invalid(`unexpected key '${key}' in '${field}'`);
}

/** `writable` and `readonly` concern the mounts below a read-only bind mount. */
function setRecursion(options: NonNullable<Mount['BindOptions']>, text: string): void {
  if (text === 'disabled') options.NonRecursive = true;
  else if (text === 'writable') options.ReadOnlyNonRecursive = true;
  else if (text === 'readonly') options.ReadOnlyForceRecursive = true;
  else
    throw invalid(
      `invalid value for bind-recursive: ${text} (must be "enabled", "disabled", "writable", or "readonly")`,
    );
}

function setVolumeField(mount: Mount, key: string, text: string, flag: () => boolean, field: string): void {
  mount.VolumeOptions ??= { DriverConfig: {} };
  const options = mount.VolumeOptions;
  const [name = '', ...value] = text.split('=');
  if (key === 'volume-nocopy') options.NoCopy = flag();
  else if (key === 'volume-subpath') options.Subpath = text;
  else if (key === 'volume-label') options.Labels = { ...options.Labels, [name]: value.join('=') };
  else if (key === 'volume-driver') options.DriverConfig = { ...options.DriverConfig, Name: text };
  else if (key === 'volume-opt') {
    const before = options.DriverConfig?.Options;
    options.DriverConfig = { ...options.DriverConfig, Options: { ...before, [name]: value.join('=') } };
  } else throw invalid(`unexpected key '${key}' in '${field}'`);
}

function setTmpfsField(mount: Mount, key: string, text: string, field: string): void {
  mount.TmpfsOptions ??= {};
  if (key === 'tmpfs-size') {
    try {
      mount.TmpfsOptions.SizeBytes = parseBytes(text);
    } catch {
      throw invalid(`invalid value for ${key}: ${text}`);
    }
  } else if (key === 'tmpfs-mode') {
    if (!/^[0-7]{1,11}$/.test(text)) throw invalid(`invalid value for ${key}: ${text}`);
    mount.TmpfsOptions.Mode = Number.parseInt(text, 8);
  } else throw invalid(`unexpected key '${key}' in '${field}'`);
}

function checkMount(mount: Mount): void {
  if (mount.Target === '') throw invalid('target is required');
  const mixed = (options: unknown, type: Mount['Type']): void => {
    if (options && mount.Type !== type) throw invalid(`cannot mix '${type}-*' options with mount type '${mount.Type}'`);
  };
  mixed(mount.VolumeOptions, 'volume');
  mixed(mount.BindOptions, 'bind');
  mixed(mount.TmpfsOptions, 'tmpfs');
  checkRecursion(mount);
}

function checkRecursion({ ReadOnly, BindOptions = {} }: Mount): void {
  const { ReadOnlyNonRecursive, ReadOnlyForceRecursive, Propagation } = BindOptions;
  const requires = (value: string, other: string): NetyardError =>
    invalid(`option 'bind-recursive=${value}' requires '${other}' to be specified in conjunction`);
  if (ReadOnlyNonRecursive && !ReadOnly) throw requires('writable', 'readonly');
  if (!ReadOnlyForceRecursive) return;
  if (!ReadOnly) throw requires('readonly', 'readonly');
  if (Propagation !== 'rprivate') throw requires('readonly', 'bind-propagation=rprivate');
}
