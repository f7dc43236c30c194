/**
 * A fresh host for a test file: own network, mount and process namespaces, an empty /run/netns, `lo` up.
 *
 * Usage, at the top of `packages/X/test/*.kernel.test.ts`, run as plain `node --test FILE`:
 *
 *     import { inFreshHost } from '@netyard/testkit';
 *     const host = inFreshHost(import.meta.url);
 *     test('pings', host, () => { … });      // `host` are node:test options: { skip: reason or false }
 *
 * The file runs a second time under unshare(1), with the same arguments and standard streams, and the first
 * process ends with its exit code; nothing after the call ever runs outside. Without root (or without unshare) the
 * tests are skipped and say why. The host ends with the process: namespaces, mounts and children need no clean-up,
 * files elsewhere do. Everything imported before the call runs twice, so do no work at import time.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const marker = 'NETYARD_TEST_FRESH_HOST';

export interface FreshHostOptions {
  /**
   * Unmounts the v2 hierarchy of a hybrid cgroup mount, which crun 1.8 rejects; for tests that start containers.
   */
  cgroups?: boolean;
}

/** Options for `test`. */
export interface HostTestOptions {
  skip: string | false;
}

const setUp = [
  'set -e',
  'mount -t tmpfs tmpfs /run/netns',
  'ip link set lo up',
  'if [ "$NETYARD_TEST_CGROUPS" = 1 ] && mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi',
  'exec "$@"',
].join('\n');

/** See the top of this file. */
export function inFreshHost(testFileUrl: string, options: FreshHostOptions = {}): HostTestOptions {
  if (process.env[marker] === '1') return { skip: false };
  if (process.getuid?.() !== 0) return { skip: 'needs root: it makes network namespaces' };
  mkdirSync('/run/netns', { recursive: true });
  const result = spawnSync(
    'setpriv', // ends the host when the test run is killed
    [
      ...['--pdeathsig', 'KILL', 'unshare'],
      ...['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'],
      ...['sh', '-c', setUp, 'sh', process.execPath, ...process.execArgv, fileURLToPath(testFileUrl)],
    ],
    {
      stdio: 'inherit',
      env: { ...process.env, [marker]: '1', NETYARD_TEST_CGROUPS: options.cgroups ? '1' : '0' },
    },
  );
  if (result.error) return { skip: `cannot start setpriv(1) and unshare(1): ${result.error.message}` };
  process.exit(result.status ?? 1);
}
