/** A private etcd for tests, on loopback addresses of the fresh namespaces in which the test file runs. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface EtcdMember {
  /** `127.0.0.1:2379` */
  endpoint: string;
  /** SIGKILL, as if the machine had failed. */
  kill(): Promise<void>;
  /** SIGSTOP: keeps its connections but does not respond. */
  pause(): void;
  resume(): void;
  start(): Promise<void>;
}

export interface PrivateEtcd extends AsyncDisposable {
  folder: string;
  members: EtcdMember[];
  /** `etcd://A,B,C` */
  url: string;
  etcdctl(...args: string[]): string;
}

export interface EtcdOptions {
  members?: number;
  /** Extra flags, such as those of TLS. */
  flags?: string[];
  scheme?: 'http' | 'https';
  /** Extra arguments for etcdctl. */
  client?: string[];
}

/** Members listen at 127.0.0.1, 127.0.0.2, … */
export async function startEtcd(options: EtcdOptions = {}): Promise<PrivateEtcd> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-etcd-'));
  const addresses = Array.from({ length: options.members ?? 1 }, (_, index) => `127.0.0.${index + 1}`);
  const members = addresses.map((address) => member(folder, address, addresses, options));
  await Promise.all(members.map((one) => one.start()));
  const endpoints = members.map((one) => one.endpoint);
  const args = ['--dial-timeout=60s', '--command-timeout=60s'];
  args.push(`--endpoints=${endpoints.map((one) => `${options.scheme ?? 'http'}://${one}`).join(',')}`);
  return {
    folder,
    members,
    url: `etcd://${endpoints.join(',')}`,
    etcdctl: (...more) =>
      execFileSync('etcdctl', [...args, ...(options.client ?? []), ...more], {
        env: { ...process.env, ETCDCTL_API: '3' },
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    async [Symbol.asyncDispose]() {
      await Promise.all(members.map((one) => one.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function member(folder: string, address: string, all: readonly string[], options: EtcdOptions): EtcdMember {
  const client = `${options.scheme ?? 'http'}://${address}:2379`;
  const peer = (at: string): string => `http://${at}:2380`;
  const args = [
    ...['--name', address, '--data-dir', join(folder, address), '--log-level', 'error'],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer(address), '--initial-advertise-peer-urls', peer(address)],
    ...['--initial-cluster', all.map((at) => `${at}=${peer(at)}`).join(',')],
    ...(options.flags ?? []),
  ];
  let child: ChildProcess | undefined;
  return {
    endpoint: `${address}:2379`,
    async start() {
      child = spawn('etcd', args, { stdio: ['ignore', 'ignore', process.env['ETCD_LOG'] ? 'inherit' : 'ignore'] });
      await listening(address, child);
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
  };
}

async function listening(address: string, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`etcd at ${address} ended with ${child.exitCode}`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(2379, address, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await sleep(30);
  }
}

/** A CA, a server certificate for 127.0.0.1 to 127.0.0.3 and a client certificate; `other` is an untrusted CA. */
export function makeCertificates(folder: string): void {
  const script = `set -e; cd "$1"
    for ca in ca other; do
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$ca" -keyout $ca.key -out $ca.pem
    done
    sign() { # NAME CA EXTENSIONS
      openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout $1.key -out $1.csr
      printf '%s\\n' "$3" > $1.ext
      openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem
    }
    sign server ca 'subjectAltName=IP:127.0.0.1,IP:127.0.0.2,IP:127.0.0.3
extendedKeyUsage=serverAuth,clientAuth'
    sign client ca extendedKeyUsage=clientAuth
    sign foreign other extendedKeyUsage=clientAuth`;
  execFileSync('sh', ['-c', script, 'sh', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
}
