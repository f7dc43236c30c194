/**
 * Host ports held by containers, each reserved by a bound socket so that no other process can bind it. One table for the
 * host. The cost of publishing is independent of the number of ports.
 */
import { isNetyardError, KernelError, NetyardError } from '@netyard/core';
import type { PortReservation, RelayTarget } from '@netyard/kernel';
import type { PublishedPort } from '../contract.ts';
import { familyOfAddress } from '../family.ts';
import { anyAddress, type BindingGroup } from './bindings.ts';
import { candidatePorts, hasFixedPort, type PortRange } from './choose.ts';

export type Reserve = (protocol: PublishedPort['protocol'], address: string, port: number) => PortReservation;

/** glibc's messages for errors of bind(2), as in Docker's messages. */
const bindErrors: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EPROTONOSUPPORT: 'protocol not supported',
  EMFILE: 'too many open files',
  EAFNOSUPPORT: 'address family not supported by protocol',
};
const tooManyHint = "raise the daemon's limit of open files (ulimit -n): each published port uses one";

interface Holding {
  containerId: string;
  reservation: PortReservation | undefined;
}

export class PortTable {
  readonly #reserve: Reserve;
  /** By `protocol/port`, then by host address. */
  readonly #taken = new Map<string, Map<string, Holding>>();
  readonly #cursors = new Map<string, number>();

  constructor(reserve: Reserve) {
    this.#reserve = reserve;
  }

  /**
   * Chooses a host port that is free at all addresses of the group, and reserves it. Throws `failed` (as Docker's start
   * does) with Docker's message when it is held by a container or another process, or when none is free.
   */
  publish(group: BindingGroup, containerId: string, dynamic: PortRange): PublishedPort[] {
    const [request] = group;
    if (!request) return [];
    const cursorKey = `${request.protocol}/${request.hostAddress}`;
    let failure: unknown = new NetyardError('failed', 'all ports are allocated');
    for (const hostPort of candidatePorts(request, dynamic, this.#cursors.get(cursorKey) ?? 0)) {
      const ports = group.map(({ protocol, containerPort, hostAddress }) => ({
        ...{ protocol, containerPort, hostAddress, hostPort },
      }));
      try {
        this.#claimAll(ports, containerId);
      } catch (error) {
        if (hasFixedPort(request) || !isNetyardError(error)) throw error;
        if (error instanceof PortBindError) {
          if (error.forAnyPort) throw error;
          failure = error;
        }
        continue;
      }
      if (!request.hostPort) this.#cursors.set(cursorKey, hostPort);
      return ports;
    }
    throw failure;
  }

  /** All or none. */
  #claimAll(ports: readonly PublishedPort[], containerId: string): void {
    const claimed: PublishedPort[] = [];
    try {
      for (const port of ports) {
        this.claim(port, containerId);
        claimed.push(port);
      }
    } catch (error) {
      for (const port of claimed) this.release(port, containerId);
      throw error;
    }
  }

  /** Reserves exactly this host port. Throws as `publish` does. */
  claim(port: PublishedPort, containerId: string): void {
    if (port.hostPort === 0) return; // of a routed network: see PublishedPort
    this.#rejectTaken(port);
    let reservation: PortReservation;
    try {
      reservation = this.#reserve(port.protocol, port.hostAddress, port.hostPort);
    } catch (cause) {
      if (cause instanceof KernelError) throw new PortBindError(port, cause);
      throw cause;
    }
    this.#hold(port, { containerId, reservation });
  }

  /**
   * Reserves the port of a running container after a restart of the daemon. If another process has bound it meanwhile, the
   * error is returned and the port stays published without a reservation.
   */
  adopt(port: PublishedPort, containerId: string): Error | undefined {
    try {
      this.claim(port, containerId);
      return undefined;
    } catch (error) {
      if (!(error instanceof NetyardError)) throw error;
      this.#hold(port, { containerId, reservation: undefined });
      return error;
    }
  }

  release(port: PublishedPort, containerId: string): void {
    const key = keyOf(port);
    const addresses = this.#taken.get(key);
    const held = addresses?.get(port.hostAddress);
    if (!addresses || held?.containerId !== containerId) return;
    held.reservation?.close();
    addresses.delete(port.hostAddress);
    if (addresses.size === 0) this.#taken.delete(key);
  }

  /**
   * Passes on what reaches the reserved socket, since no rule translates it: see `PortReservation.relay`. Without a
   * reservation (see `adopt`) nothing is relayed.
   */
  relay(port: PublishedPort, containerId: string, target: RelayTarget): void {
    const held = this.#taken.get(keyOf(port))?.get(port.hostAddress);
    if (held?.containerId === containerId) held.reservation?.relay(target);
  }

  /**
   * An independent table with the same ports, for dry runs. It holds no sockets: a further port is bound and released at
   * once, which shows whether another process has it without taking it from a container that starts meanwhile.
   */
  copy(): PortTable {
    const table = new PortTable((protocol, address, port) => {
      const isHeld = this.#taken.get(keyOf({ protocol, hostPort: port }))?.has(address);
      if (!isHeld) this.#reserve(protocol, address, port).close();
      return unreserved(protocol, address, port);
    });
    for (const [key, addresses] of this.#taken) {
      const held = [...addresses].map(
        ([address, { containerId }]) => [address, { containerId, reservation: undefined }] as const,
      );
      table.#taken.set(key, new Map(held));
    }
    for (const [key, port] of this.#cursors) table.#cursors.set(key, port);
    return table;
  }

  /** Closes all sockets; published ports in the kernel are kept. */
  close(): void {
    for (const addresses of this.#taken.values()) for (const held of addresses.values()) held.reservation?.close();
    this.#taken.clear();
  }

  #hold(port: PublishedPort, holding: Holding): void {
    const addresses = this.#taken.get(keyOf(port)) ?? new Map<string, Holding>();
    this.#taken.set(keyOf(port), addresses.set(port.hostAddress, holding));
  }

  /** 0.0.0.0 conflicts with every IPv4 address, another address with itself and with 0.0.0.0; so for IPv6 and ::. */
  #rejectTaken(port: PublishedPort): void {
    const addresses = this.#taken.get(keyOf(port));
    if (!addresses) return;
    const family = familyOfAddress(port.hostAddress);
    const any = anyAddress[family];
    const others = [...addresses.keys()].filter((address) => familyOfAddress(address) === family);
    const conflict = [port.hostAddress, any, ...(port.hostAddress === any ? others : [])].find((address) =>
      addresses.has(address),
    );
    if (conflict !== undefined)
      throw new NetyardError('failed', `Bind for ${conflict}:${port.hostPort} failed: port is already allocated`);
  }
}

/** Another process has bound the port, or the host does not have the address. */
class PortBindError extends NetyardError {
  /** Any other port would fail with the same error. */
  readonly forAnyPort: boolean;

  constructor(port: PublishedPort, cause: KernelError) {
    const forAnyPort = cause.errnoName === 'EMFILE';
    const reason = bindErrors[cause.errnoName] ?? cause.errnoName;
    const { hostAddress: text } = port;
    const address = text.includes(':') ? `[${text}]` : text;
    super('failed', `failed to bind host port ${address}:${port.hostPort}/${port.protocol}: ${reason}`, {
      cause,
      ...(forAnyPort ? { hint: tooManyHint } : {}),
    });
    this.forAnyPort = forAnyPort;
  }
}

/** A reservation without a socket. */
export const unreserved: Reserve = (protocol, address, port) => ({
  ...{ protocol, address, port },
  relay: () => undefined,
  close: () => undefined,
});

const keyOf = (port: Pick<PublishedPort, 'protocol' | 'hostPort'>): string => `${port.protocol}/${port.hostPort}`;
