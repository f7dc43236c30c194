/**
 * Names the processes that request changes. The kernel reports the port id of the requesting netlink socket, which for the
 * first socket of a process is its pid, and for transactions of nftables also pid and name. A short command may have ended
 * before its name can be read.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import type { FindNftAuthor } from '../netlink/network-changes.ts';
import type { OwnPorts } from '../netlink/socket-state.ts';
import type { ChangeAuthor } from '../network-change.ts';

/** Further sockets of a process have negative ids (af_netlink.c, netlink_autobind). */
const firstFurtherPort = 2 ** 31;
/** linux/proc_ns.h PROC_PID_INIT_INO. */
const initialPidNamespace = 'pid:[4026531836]';
const maximumCommand = 200;

interface Process {
  program: string;
  command?: string;
}

export class AuthorFinder {
  readonly #ports: OwnPorts;
  readonly #ownProgram = nameOf('self');
  readonly #ownNetwork = linkOf('/proc/self/ns/net');
  readonly #seesAllPids = linkOf('/proc/self/ns/pid') === initialPidNamespace;
  /** The last one: a command often makes several changes. */
  #last: { portId: number; author: ChangeAuthor; time: number } | undefined;

  constructor(ports: OwnPorts) {
    this.#ports = ports;
  }

  find(portId: number): ChangeAuthor {
    if (portId === 0) return 'kernel';
    if (portId === process.pid || this.#ports.has(portId)) return 'self';
    if (portId >= firstFurtherPort) return {};
    const last = this.#last;
    if (last?.portId === portId && performance.now() - last.time < 1000) return last.author;
    const author = { pid: portId, ...this.#readProcess(portId) };
    this.#last = { portId, author, time: performance.now() };
    return author;
  }

  /** The reported pid is that of the initial pid namespace: in another one, the name alone is reported. */
  findNft: FindNftAuthor = ({ portId, pid, program }) => {
    if (portId !== 0 && (portId === process.pid || this.#ports.has(portId))) return 'self';
    const named = program === undefined ? {} : { program };
    // libnftables has sockets of its own.
    if (program === this.#ownProgram && (!this.#seesAllPids || pid === process.pid)) return 'self';
    if (pid === undefined || !this.#seesAllPids) return named;
    const command = this.#readProcess(pid)?.command;
    return { pid, ...named, ...(command === undefined ? {} : { command }) };
  };

  /** Undefined if it has ended, or is in another network namespace and thus hardly the one. */
  #readProcess(pid: number): Process | undefined {
    if (linkOf(`/proc/${pid}/ns/net`) !== this.#ownNetwork) return undefined;
    const program = nameOf(String(pid));
    const command = contentOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim().slice(0, maximumCommand);
    if (program === '') return undefined;
    return { program, ...(command === '' ? {} : { command }) };
  }
}

const nameOf = (pid: string): string => contentOf(`/proc/${pid}/comm`).trim();

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has ended
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
