/**
 * Operations on containers and networks, chosen at random, and the state that they must lead to. Pure: random numbers are
 * parameters.
 */

export interface ContainerSlot {
  name: string;
  /** The last number of its static addresses. */
  number: number;
  exists: boolean;
  running: boolean;
  networks: Set<string>;
  /** An operation whose answer has not arrived. */
  pending?: OperationName;
}

export interface NetworkSlot {
  name: string;
  body: Record<string, unknown>;
  exists: boolean;
  pending?: OperationName;
}

export type OperationName =
  | 'create'
  | 'start'
  | 'stop'
  | 'restart'
  | 'rm'
  | 'connect'
  | 'disconnect'
  | 'network create'
  | 'network rm';

export interface Operation {
  name: OperationName;
  method: 'POST' | 'DELETE';
  path: string;
  body?: unknown;
  /** What the slot becomes when the operation succeeds. */
  done: () => void;
}

const staticNetworks: Readonly<Record<string, string>> = { fixed: '10.78.2', 'fixed-internal': '10.78.4' };

const pool = (prefix: string): Record<string, unknown> => ({
  Config: [{ Subnet: `${prefix}.0/24`, IPRange: `${prefix}.128/25`, Gateway: `${prefix}.1` }],
});

export const newNetworkSlots = (): NetworkSlot[] => {
  const bodies: Record<string, Record<string, unknown>> = {
    plain: {},
    internal: { Internal: true },
    fixed: { IPAM: pool('10.78.2') },
    isolated: { Options: { 'com.docker.network.bridge.enable_icc': 'false' } },
    'fixed-internal': { Internal: true, IPAM: pool('10.78.4') },
    named: { Options: { 'com.docker.network.bridge.name': 'br-named' } },
    dual: { EnableIPv6: true },
    'only-v6': { EnableIPv4: false, EnableIPv6: true },
  };
  return Object.entries(bodies).map(([name, body]) => ({ name, body: { Name: name, ...body }, exists: false }));
};

export const newContainerSlots = (count: number): ContainerSlot[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `c${index}`,
    number: 10 + index,
    exists: false,
    running: false,
    networks: new Set<string>(),
  }));

type Random = () => number;

function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new RangeError('nothing to pick from');
  return value;
}

export function chooseNetworkOperation(random: Random, slots: readonly NetworkSlot[]): [NetworkSlot, Operation] {
  const slot = pick(random, slots);
  const operation: Operation = slot.exists
    ? {
        ...{ name: 'network rm', method: 'DELETE', path: `/networks/${slot.name}` },
        done: () => {
          slot.exists = false;
        },
      }
    : {
        ...{ name: 'network create', method: 'POST', path: '/networks/create', body: slot.body },
        done: () => {
          slot.exists = true;
        },
      };
  return [slot, operation];
}

/** `networks`: names of networks to choose from. */
export function chooseContainerOperation(random: Random, slot: ContainerSlot, networks: readonly string[]): Operation {
  const names = slot.running ? runningOperations : slot.exists ? stoppedOperations : (['create'] as const);
  return containerOperation(random, slot, pick(random, names), networks);
}

const runningOperations = ['stop', 'restart', 'rm', 'connect', 'connect', 'disconnect', 'disconnect'] as const;
const stoppedOperations = ['start', 'start', 'start', 'rm', 'connect', 'disconnect'] as const;

function containerOperation(
  random: Random,
  slot: ContainerSlot,
  name: OperationName,
  networks: readonly string[],
): Operation {
  const { name: container } = slot;
  const setRunning = (running: boolean) => (): void => {
    slot.running = running;
  };
  const post = (action: string, done: () => void): Operation => ({
    ...{ name, method: 'POST', path: `/containers/${container}/${action}`, done },
  });
  switch (name) {
    case 'create':
      return create(slot, pick(random, networks), random() < 0.5);
    case 'start':
      return post('start', setRunning(true));
    case 'stop':
      return post('stop?t=0', setRunning(false));
    case 'restart':
      return post('restart?t=0', setRunning(true));
    case 'rm':
      return { name, method: 'DELETE', path: `/containers/${container}?force=1`, done: () => clear(slot) };
    case 'connect':
      return connect(slot, pick(random, networks), random() < 0.5);
    default:
      return disconnect(slot, pick(random, [...slot.networks, ...networks.slice(0, 1)]));
  }
}

function clear(slot: ContainerSlot): void {
  slot.exists = false;
  slot.running = false;
  slot.networks.clear();
}

function endpoint({ number }: ContainerSlot, network: string, isStatic: boolean): Record<string, unknown> {
  const prefix = staticNetworks[network];
  return prefix !== undefined && isStatic ? { IPAMConfig: { IPv4Address: `${prefix}.${number}` } } : {};
}

function create(slot: ContainerSlot, network: string, isStatic: boolean): Operation {
  const port = String(18_000 + slot.number);
  const body = {
    Image: 'netyard-test',
    Cmd: ['sleep', '100000'],
    HostConfig: { NetworkMode: network, PortBindings: { '80/tcp': [{ HostPort: port }] } },
    NetworkingConfig: { EndpointsConfig: { [network]: endpoint(slot, network, isStatic) } },
  };
  return {
    ...{ name: 'create', method: 'POST', path: `/containers/create?name=${slot.name}`, body },
    done: () => {
      slot.exists = true;
      slot.networks.add(network);
    },
  };
}

function connect(slot: ContainerSlot, network: string, isStatic: boolean): Operation {
  const body = { Container: slot.name, EndpointConfig: endpoint(slot, network, isStatic) };
  return {
    ...{ name: 'connect', method: 'POST', path: `/networks/${network}/connect`, body },
    done: () => slot.networks.add(network),
  };
}

function disconnect(slot: ContainerSlot, network: string): Operation {
  return {
    ...{ name: 'disconnect', method: 'POST', path: `/networks/${network}/disconnect`, body: { Container: slot.name } },
    done: () => slot.networks.delete(network),
  };
}

/** Answers that a race between two operations explains, such as connecting to a network that was just removed. */
export const isExpected = (status: number, message: string): boolean =>
  status < 400 ||
  (status < 500 && /not found|active endpoints|already exists in network/.test(message)) ||
  /is not connected to (the )?network/.test(message);
