/** Socket options. */
import { libc } from '../ffi/libc.ts';

/** Without a check: none of them is needed for the function of a socket. */
export function setInteger(fd: number, level: number, name: number, value: number): void {
  libc().setsockopt(fd, level, name, new Uint8Array(new Int32Array([value]).buffer), 4);
}
