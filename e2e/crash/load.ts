/** Sends random operations to the daemon until it is killed, several at a time, and records which were answered. */
import { setTimeout as pause } from 'node:timers/promises';
import { call, messageIn } from '../support/api.ts';
import type { TestHost } from '../support/host.ts';
import type { ApiContainer } from './observe.ts';
import {
  type ContainerSlot,
  chooseContainerOperation,
  chooseNetworkOperation,
  isExpected,
  type NetworkSlot,
  type Operation,
} from './operations.ts';

export interface Slots {
  containers: ContainerSlot[];
  networks: NetworkSlot[];
}

export interface LoadResult {
  /** Operations that were answered with success, and with an error that a race explains. */
  succeeded: number;
  rejected: number;
  /** Names of the operations that the kill interrupted. */
  interrupted: string[];
  failures: string[];
}

/** Each of `workers` has containers of its own; one more creates and removes networks. */
export class Load {
  readonly result: LoadResult = { succeeded: 0, rejected: 0, interrupted: [], failures: [] };
  readonly #host: TestHost;
  readonly #slots: Slots;
  readonly #random: () => number;
  readonly #ended: Promise<unknown>;
  #stopped = false;

  constructor(host: TestHost, slots: Slots, random: () => number, workers: number) {
    this.#host = host;
    this.#slots = slots;
    this.#random = random;
    const shares = Array.from({ length: workers }, (_, index) =>
      slots.containers.filter((_slot, at) => at % workers === index),
    );
    this.#ended = Promise.all([...shares.map((share) => this.#changeContainers(share)), this.#changeNetworks()]);
  }

  /** Call when the daemon is down: operations that wait for an answer count as interrupted. */
  async stop(): Promise<LoadResult> {
    this.#stopped = true;
    await this.#ended;
    return this.result;
  }

  async #changeContainers(slots: readonly ContainerSlot[]): Promise<void> {
    while (!this.#stopped) {
      const slot = slots[Math.floor(this.#random() * slots.length)];
      if (!slot) return;
      const networks = ['bridge', ...this.#slots.networks.filter(({ exists }) => exists).map(({ name }) => name)];
      await this.#send(slot, chooseContainerOperation(this.#random, slot, networks));
    }
  }

  async #changeNetworks(): Promise<void> {
    while (!this.#stopped) {
      await this.#send(...chooseNetworkOperation(this.#random, this.#slots.networks));
      await pause(this.#random() * 30);
    }
  }

  async #send(slot: ContainerSlot | NetworkSlot, { name, method, path, body, done }: Operation): Promise<void> {
    if (slot.pending) return void (await pause(5)); // it was interrupted
    slot.pending = name;
    try {
      const answer = await call(this.#host, method, path, body);
      delete slot.pending;
      if (answer.status < 400) done();
      const message = answer.status < 400 ? '' : messageIn(answer);
      if (name === 'restart' && 'running' in slot) await this.#readRunning(slot);
      if (answer.status < 400) this.result.succeeded += 1;
      else if (isExpected(answer.status, message)) this.result.rejected += 1;
      else this.result.failures.push(`${name} ${slot.name}: ${answer.status} ${message}`);
    } catch (error) {
      const isSent = !['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '');
      if (isSent) this.result.interrupted.push(name);
      else if (name !== 'restart') delete slot.pending;
      await pause(5);
    }
  }

  /** A rejected restart may have stopped the container, when one of its networks was removed meanwhile. */
  async #readRunning(slot: ContainerSlot): Promise<void> {
    slot.pending = 'restart';
    const { body } = await call(this.#host, 'GET', `/containers/${slot.name}/json`);
    slot.running = (JSON.parse(body) as ApiContainer).State.Running;
    delete slot.pending;
  }
}
