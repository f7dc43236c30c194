/**
 * Computes the digests of namespaces: dumps of links, addresses and routes of each, through a socket that is open for as
 * long as that takes and receives no notifications. For a thread: a dump may wait for the kernel's lock (RTNL).
 */
import { KernelError } from '@netyard/core';
import { checked, checkedRetrying, closeFile } from '../../system/calls.ts';
import { errnoOf, kernelError } from '../../system/ffi/errno.ts';
import { libc } from '../../system/ffi/libc.ts';
import { type EnterNetns, openNamespace, openOwnNamespace, runInNetns } from '../../system/netns.ts';
import { encodeMessage, NLM_F_DUMP, NLM_F_REQUEST } from '../message.ts';
import { encodeAddressesQuery, RTM_GETADDR } from '../rtnl/address.ts';
import { encodeLinksQuery, RTM_GETLINK } from '../rtnl/link-message.ts';
import { encodeRoutesQuery, mainTable, RTM_GETROUTE } from '../rtnl/route.ts';
import { NETLINK_ROUTE, openNetlink, setIntegerOption } from '../socket.ts';
import { NamespaceDigest } from './digest.ts';

const SOL_NETLINK = 270;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_DONTWAIT = 0x40;
/** The kernel splits dumps into datagrams of at most 32 KiB. */
const bufferLength = 32768;
const ENOENT = errnoOf('ENOENT');

const requests = [
  { type: RTM_GETLINK, payload: encodeLinksQuery() },
  { type: RTM_GETADDR, payload: encodeAddressesQuery() },
  { type: RTM_GETROUTE, payload: encodeRoutesQuery(4, mainTable) },
  { type: RTM_GETROUTE, payload: encodeRoutesQuery(6, mainTable) },
].map(({ type, payload }) => encodeMessage({ type, flags: NLM_F_REQUEST | NLM_F_DUMP, sequence: 1, payload }));

/** A digest for each path; undefined where the namespace cannot be read, such as one that has ended. */
export function sampleNamespaces(paths: readonly string[]): (number | undefined)[] {
  const own = openOwnNamespace();
  const buffer = new Uint8Array(bufferLength);
  try {
    return paths.map((path) => {
      try {
        return sampleNamespace(path, own, buffer);
      } catch (error) {
        if (error instanceof KernelError) return undefined;
        throw error;
      }
    });
  } finally {
    closeFile(own);
  }
}

function sampleNamespace(path: string, own: number, buffer: Uint8Array): number {
  const enter: EnterNetns = (_path, work) => {
    const fd = openNamespace(path);
    try {
      return runInNetns({ fd, path, own }, work);
    } finally {
      closeFile(fd);
    }
  };
  const fd = openNetlink(NETLINK_ROUTE, path, [], enter);
  try {
    setIntegerOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1); // the kernel filters
    const digest = new NamespaceDigest();
    for (const request of requests) addDump(fd, request, digest, buffer);
    return digest.value;
  } finally {
    closeFile(fd);
  }
}

function addDump(fd: number, request: Uint8Array, digest: NamespaceDigest, buffer: Uint8Array): void {
  checkedRetrying(() => libc().sendto(fd, request, request.length, 0, null, 0), 'dump', 'namespace');
  for (;;) {
    // The kernel has the answer ready when sendto returns.
    const length = checked(libc().recv(fd, buffer, buffer.length, MSG_DONTWAIT), 'dump', 'namespace');
    const { isDone, errno } = digest.addDatagram(buffer.subarray(0, length));
    if (errno !== 0 && errno !== ENOENT) throw kernelError(errno, 'dump', 'namespace'); // ENOENT: a table without routes
    if (isDone) return;
  }
}
