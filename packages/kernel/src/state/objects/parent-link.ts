/** Common parts of the handlers of links that the kernel may lack or that are attached to another interface. */
import { KernelError } from '@netyard/core';
import type { DummyObject, IpvlanObject, MacvlanObject, VlanObject } from '../../desired.ts';
import { type Link, linkIndex, moduleOfKind } from '../../netlink/rtnl/link.ts';
import type { Session } from '../../netlink/session.ts';
import type { NetlinkSocket } from '../../netlink/socket.ts';
import { find, type LinkLocation } from './link.ts';

/** Whether the link has another parent. One that is gone has taken its links with it; a renamed one still has them. */
export function parentDifferences(session: Session, parent: LinkLocation, found: Link): string[] {
  const index = find(session, parent)?.index;
  return index === undefined || found.peerIndex === index ? [] : ['another parent'];
}

/** Creates a link in its namespace whose parent is in the process's own. */
export function createAttached(
  session: Session,
  object: MacvlanObject | IpvlanObject,
  create: (socket: NetlinkSocket, location: { name: string; netnsFd?: number }, parentIndex: number) => void,
): void {
  const { ns, name, parent } = object;
  const socket = session.route(undefined);
  const parentIndex = linkIndex(socket, parent);
  const location = { name, ...(ns === undefined ? {} : { netnsFd: session.netnsFd(ns) }) };
  explainCreation(object, () => create(socket, location, parentIndex));
}

/** Runs a creation. Its errors say what to do about a parent in use, in Docker's words, and about a missing module. */
export function explainCreation(
  object: MacvlanObject | IpvlanObject | VlanObject | DummyObject,
  create: () => void,
): void {
  try {
    create();
  } catch (error) {
    throw error instanceof KernelError ? explained(error, object) : error;
  }
}

function explained(
  cause: KernelError,
  { kind, ...rest }: MacvlanObject | IpvlanObject | VlanObject | DummyObject,
): KernelError {
  const { errno, errnoName, operation, object } = cause;
  const fields = { errno, errnoName, operation, object, cause };
  const parent = 'parent' in rest ? rest.parent : undefined;
  if (errnoName === 'EBUSY' && parent !== undefined) {
    const hint = `run \`ip -d link\`: ${parent} must be no port of a bridge or bond and not have both macvlan and ipvlan interfaces`;
    return new KernelError({ ...fields, message: `failed to create the ${kind} port: device or resource busy`, hint });
  }
  if (errnoName !== 'EOPNOTSUPP') return cause;
  const hint = `run \`modprobe ${moduleOfKind(kind)}\`; a kernel without this module cannot have ${kind} interfaces`;
  return new KernelError({ ...fields, message: cause.message, hint });
}
