/** Devices of a container, and the rules of its device cgroup. Pure; numbers are those of devices.txt. */
import { NetyardError } from '@netyard/core';
import type { OciDevice, OciDeviceRule } from '../oci.ts';

/** A device node of the host, from stat(2). */
export interface HostDevice {
  path: string;
  type: 'c' | 'b';
  major: number;
  minor: number;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
}

export interface RequestedDevice {
  host: HostDevice;
  pathInContainer: string;
  /** `rwm` or a subset. */
  permissions: string;
}

/** The runtime creates /dev/null and the like itself; these rules permit their use. */
const always: readonly [number, number][] = [
  [1, 3], // null
  [1, 5], // zero
  [1, 8], // random
  [1, 9], // urandom
  [5, 0], // tty
  [5, 1], // console
];

export function planDeviceRules(
  devices: readonly RequestedDevice[],
  privileged: boolean,
  more: readonly string[] = [],
): OciDeviceRule[] {
  if (privileged) return [{ allow: true, access: 'rwm' }];
  return [
    { allow: false, access: 'rwm' },
    ...always.map(([major, minor]): OciDeviceRule => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
    ...devices.map(
      ({ host, permissions }): OciDeviceRule => ({
        allow: true,
        type: host.type,
        major: host.major,
        minor: host.minor,
        access: permissions === '' ? 'rwm' : permissions,
      }),
    ),
    ...more.map(parseDeviceRule),
  ];
}

/** `c 10:200 rwm` of `--device-cgroup-rule`; `*` matches any number. */
function parseDeviceRule(text: string): OciDeviceRule {
  const [, type = '', major = '', minor = '', access = ''] =
    /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text) ?? [];
  if (type === '') throw new NetyardError('invalid', `invalid device cgroup rule format: '${text}'`);
  const number = (name: 'major' | 'minor', text: string) => (text === '*' ? {} : { [name]: Number(text) });
  return { allow: true, type: type as 'a' | 'b' | 'c', ...number('major', major), ...number('minor', minor), access };
}

export function planDevices(devices: readonly RequestedDevice[]): OciDevice[] {
  return devices.map(({ host, pathInContainer }) => ({
    path: pathInContainer,
    type: host.type,
    major: host.major,
    minor: host.minor,
    fileMode: host.mode & 0o777,
    uid: host.uid,
    gid: host.gid,
  }));
}
