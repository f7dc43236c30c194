/** TCP and UDP ports of the fake kernel's host: at most one owner per address and port, wildcards included. */
import type { PortProtocol, PortReservation, RelayTarget } from '@netyard/kernel';
import { failure } from './fake-failure.ts';

export interface ReservedPort {
  protocol: PortProtocol;
  address: string;
  port: number;
  /** Where the port is relayed to. */
  relayedTo?: RelayTarget;
}

export class FakePorts {
  readonly #reserved = new Set<ReservedPort>();

  list(): ReservedPort[] {
    return [...this.#reserved];
  }

  /** As another program would; also when the port is in use. */
  occupy(port: ReservedPort): void {
    this.#reserved.add(port);
  }

  /** @param port 0: any free one */
  reserve(protocol: PortProtocol, address: string, port: number): PortReservation {
    let chosen = port === 0 ? 32768 : port;
    while (port === 0 && this.#isInUse({ protocol, address, port: chosen })) chosen += 1;
    const reserved: ReservedPort = { protocol, address, port: chosen };
    if (this.#isInUse(reserved)) throw failure('EADDRINUSE', 'bind', `${protocol} ${address} port ${port}`);
    this.#reserved.add(reserved);
    return {
      ...{ protocol, address, port: chosen },
      relay: (target) => {
        reserved.relayedTo = target;
      },
      close: () => void this.#reserved.delete(reserved),
    };
  }

  #isInUse({ protocol, address, port }: ReservedPort): boolean {
    return this.list().some(
      (other) => other.protocol === protocol && other.port === port && overlaps(other.address, address),
    );
  }
}

const isAny = (address: string): boolean => address === '0.0.0.0' || address === '::';

function overlaps(one: string, other: string): boolean {
  const isSameFamily = one.includes(':') === other.includes(':');
  return isSameFamily && (one === other || isAny(one) || isAny(other));
}
