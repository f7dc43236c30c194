/** `--mount`: one element of HostConfig.Mounts. */
import { flag, list, map, none, object, oneOf, text, whole, zero } from './shape.ts';

export const bindOptions = object({
  Propagation: zero(text, { omitEmpty: true }),
  NonRecursive: zero(flag, { omitEmpty: true, since: 40 }),
  CreateMountpoint: zero(flag, { omitEmpty: true, since: 42 }),
  ReadOnlyNonRecursive: zero(flag, { omitEmpty: true, since: 44 }),
  // Older versions reject it, as they could not promise it.
  ReadOnlyForceRecursive: zero(flag, { omitEmpty: true, remark: 'since API 1.44' }),
});

export const volumeOptions = object({
  NoCopy: zero(flag, { omitEmpty: true }),
  Labels: zero(map(text), { omitEmpty: true }),
  DriverConfig: none(object({ Name: zero(text, { omitEmpty: true }), Options: zero(map(text), { omitEmpty: true }) }), {
    omitEmpty: true,
  }),
  // Older versions reject it, as they would mount the whole volume.
  Subpath: zero(text, { omitEmpty: true, remark: 'since API 1.45' }),
});

export const tmpfsOptions = object({
  SizeBytes: zero(whole, { omitEmpty: true }),
  Mode: zero(whole, { omitEmpty: true }),
  Options: zero(list(list(text)), { omitEmpty: true, since: 46 }),
});

export const mount = object({
  Type: zero(oneOf<'bind' | 'volume' | 'tmpfs'>(), { required: true }),
  Source: zero(text, { omitEmpty: true }),
  Target: zero(text, { required: true }),
  ReadOnly: zero(flag, { omitEmpty: true }),
  Consistency: zero(text, { omitEmpty: true, status: { ignored: 'a cache setting of Docker for Mac' } }),
  BindOptions: none(bindOptions, { omitEmpty: true }),
  VolumeOptions: none(volumeOptions, { omitEmpty: true }),
  TmpfsOptions: none(tmpfsOptions, { omitEmpty: true }),
});
