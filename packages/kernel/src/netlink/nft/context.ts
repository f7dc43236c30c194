/**
 * A libnftables context: runs nft(8) commands in one namespace without a process, each call as one transaction.
 *
 * The context's netlink socket belongs to the namespace in which it was opened. But libnftables opens another socket in
 * the thread's current namespace when it looks up interface names, so commands run inside the namespace too.
 */
import type { KernelError } from '@netyard/core';
import { checked, withoutSignals } from '../../system/calls.ts';
import { errnoOf, kernelError } from '../../system/ffi/errno.ts';
import { libc } from '../../system/ffi/libc.ts';
import { libnftables, type NftContextPointer } from '../../system/ffi/nftables.ts';
import { LowDescriptors } from '../../system/low-descriptors.ts';
import { openInNetns, openInNewNetns } from '../../system/netns.ts';
import { NETLINK_NETFILTER } from '../socket.ts';

/** Operation and object that an error names: `nft add element`, `ip netyard publish`. */
export interface NftPurpose {
  operation: string;
  object: string;
}

/** Flags of nft_ctx_output_set_flags, in libnftables.h. */
export const nftOutput = { stateless: 1 << 2, handle: 1 << 3, terse: 1 << 11 } as const;

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const SOL_SOCKET = 1;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;
const AF_NETLINK = 16;

export class NftContext {
  /** libnftables waits with select(2). */
  static readonly #descriptors = new LowDescriptors();
  readonly #pointer: NftContextPointer;
  readonly #ns: string | undefined;
  #mayCache = false;

  private constructor(pointer: NftContextPointer, ns: string | undefined) {
    this.#pointer = pointer;
    this.#ns = ns;
  }

  /** Keeps descriptors for contexts free, however many other files are opened later. */
  static reserve(): void {
    NftContext.#descriptors.reserve();
  }

  static open(ns?: string): NftContext {
    if (ns === undefined) return NftContext.openHeld();
    return new NftContext(
      openInNetns(ns, () => NftContext.#open().opened),
      ns,
    );
  }

  /** Opens a context that stays open, or that owns tables: no child process inherits its socket. */
  static openHeld(ns?: string): NftContext {
    return new NftContext(
      openInNetns(ns, () => NftContext.#openClosingOnExec()),
      ns,
    );
  }

  /** Opens a context in a new, empty, unnamed namespace, which ends with the context. */
  static openScratch(): NftContext {
    return new NftContext(
      openInNewNetns(() => NftContext.#openClosingOnExec()),
      undefined,
    );
  }

  static #open(): { opened: NftContextPointer; fd: number } {
    return NftContext.#descriptors.open(newPointer, isNetfilterSocket, freePointer);
  }

  /**
   * libmnl opens its socket without SOCK_CLOEXEC. It is set here for contexts that stay open: a child process would
   * otherwise inherit the socket and keep it, with the tables that it owns, beyond the end of this process.
   */
  static #openClosingOnExec(): NftContextPointer {
    const { opened, fd } = NftContext.#open();
    checked(libc().fcntl(fd, F_SETFD, FD_CLOEXEC), 'fcntl F_SETFD', 'nft socket');
    return opened;
  }

  /** Runs commands as one transaction and returns their output. Throws KernelError. */
  run(commands: string, purpose: NftPurpose, outputFlags = 0): string {
    const nft = libnftables();
    nft.nft_ctx_output_set_flags(this.#pointer, outputFlags);
    const input = Buffer.from(`${commands}\0`, 'utf8');
    // libnftables waits with select(2); when that is interrupted, it reports a committed transaction as failed.
    const run = () => withoutSignals(() => nft.nft_run_cmd_from_buffer(this.#pointer, input));
    this.#mayCache = true;
    const status = openInNetns(this.#ns, run);
    const output = nft.nft_ctx_get_output_buffer(this.#pointer);
    const errorText = nft.nft_ctx_get_error_buffer(this.#pointer);
    if (status !== 0) throw nftError(errorText, purpose);
    return output;
  }

  /**
   * The same for long listings of the process's own namespace, on a thread of the pool. Nothing else may use the context
   * until the promise settles.
   */
  async runInThread(commands: string, purpose: NftPurpose, outputFlags = 0): Promise<string> {
    const nft = libnftables();
    nft.nft_ctx_output_set_flags(this.#pointer, outputFlags);
    const input = Buffer.from(`${commands}\0`, 'utf8');
    const status = await new Promise<number>((resolve, reject) => {
      nft.nft_run_cmd_from_buffer_async(this.#pointer, input, (error, result) => {
        if (error) reject(error);
        else resolve(result);
      });
    });
    const output = nft.nft_ctx_get_output_buffer(this.#pointer);
    if (status !== 0) throw nftError(nft.nft_ctx_get_error_buffer(this.#pointer), purpose);
    return output;
  }

  /**
   * Frees what libnftables caches of the rule set, after calls that read or change it: 512 KB for each table of the host,
   * and the elements that were listed. Any later transaction invalidates it anyway. There is no function for this, but a
   * dry run, even of no command, frees it: 10 µs.
   */
  releaseCache(): void {
    if (!this.#mayCache) return;
    this.#mayCache = false;
    const nft = libnftables();
    nft.nft_ctx_set_dry_run(this.#pointer, true);
    nft.nft_run_cmd_from_buffer(this.#pointer, Buffer.from('\0'));
    nft.nft_ctx_set_dry_run(this.#pointer, false);
  }

  close(): void {
    freePointer(this.#pointer);
    NftContext.#descriptors.refill();
  }
}

function isNetfilterSocket(fd: number): boolean {
  const value = new Int32Array(1);
  const length = Uint32Array.of(value.byteLength);
  const has = (name: number, expected: number): boolean =>
    libc().getsockopt(fd, SOL_SOCKET, name, bytesOf(value), bytesOf(length)) === 0 && value[0] === expected;
  return has(SO_DOMAIN, AF_NETLINK) && has(SO_PROTOCOL, NETLINK_NETFILTER);
}

const bytesOf = ({ buffer }: Int32Array | Uint32Array): Uint8Array => new Uint8Array(buffer);

function newPointer(): NftContextPointer {
  const nft = libnftables();
  const pointer = nft.nft_ctx_new(0);
  if (!pointer) throw kernelError(errnoOf('ENOMEM'), 'nft', 'new context');
  nft.nft_ctx_buffer_output(pointer);
  nft.nft_ctx_buffer_error(pointer);
  return pointer;
}

const freePointer = (pointer: NftContextPointer): void => libnftables().nft_ctx_free(pointer);

/** glibc's messages at the end of libnftables's messages, which contain no error numbers. */
const errnoByMessage: readonly [string, string][] = [
  ['No such file or directory', 'ENOENT'],
  ['File exists', 'EEXIST'],
  ['Device or resource busy', 'EBUSY'],
  ['Operation not permitted', 'EPERM'],
  ['Operation not supported', 'EOPNOTSUPP'],
  ['No buffer space available', 'ENOBUFS'],
  ['Numerical result out of range', 'ERANGE'],
  ['Too many open files in system', 'ENFILE'],
  ['Cannot allocate memory', 'ENOMEM'],
  ['Too many links', 'EMLINK'],
  ['Interrupted system call', 'EINTR'],
];

/** Converts libnftables's message (error, the line, carets below it) into an error with errno. Pure. */
export function nftError(errorText: string, purpose: NftPurpose): KernelError {
  const lines = errorText.split('\n');
  const position = lines.findIndex((line) => line.includes('Error: '));
  const message = (lines[position] ?? errorText).trim().replace(/^.*?Error: /, '');
  const line = position < 0 ? '' : (lines[position + 1] ?? '').trim().slice(0, 200);
  const text = `${message.replace(/^Could not process rule: /, '')}${line === '' ? '' : ` (${line})`}`;
  const [, name = 'EINVAL'] = errnoByMessage.find(([known]) => message.includes(known)) ?? [];
  return kernelError(errnoOf(name), purpose.operation, purpose.object, text);
}
