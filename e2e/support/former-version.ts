/**
 * Unpacks the version of this project before nftables sets were last renamed, from the repository's history, and runs its
 * daemon in a lab host.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type TestHost, until } from './host.ts';

const top = join(import.meta.dirname, '../..');
const tablePlan = 'packages/network/src/firewall/table.ts';
/** A later rename changes this line again, but does not add it: the search finds the first rename. */
const firstRename = 'export const formerSets';

// The repository may belong to another user than root.
const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'safe.directory=*', '-C', top, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** Why the version before is not available, such as in an unpacked archive; undefined if it is. */
export function lacksHistory(): string | undefined {
  try {
    const isShallow = git('rev-parse', '--is-shallow-repository').trim() === 'true';
    return isShallow ? 'the clone is shallow and lacks the version before: run `git fetch --unshallow`' : undefined;
  } catch {
    return 'not a git repository, which lacks the version before: run it in a clone';
  }
}

/** The parent of the commit that introduced the renamed sets. */
function formerCommit(): string {
  const [commit] = git('log', '--reverse', '--format=%P', `-S${firstRename}`, '--', tablePlan).split('\n');
  if (!commit) throw new Error(`no commit introduces \`${firstRename}\` in ${tablePlan}: commit the change first`);
  return commit;
}

export interface FormerVersion {
  commit: string;
  /** Path of its `bin/netyard`, the same on the machine and in lab hosts. */
  program: string;
  remove(): void;
}

export function unpackFormerVersion(): FormerVersion {
  const commit = formerCommit();
  const folder = mkdtempSync(join(tmpdir(), 'netyard-former-'));
  const remove = (): void => rmSync(folder, { recursive: true });
  try {
    execFileSync('sh', [
      '-c',
      'git -c safe.directory=* -C "$1" archive "$2" | tar -x -C "$3"',
      'sh',
      top,
      commit,
      folder,
    ]);
    linkModules(folder);
    execFileSync(join(folder, 'script/generate'), { stdio: ['ignore', 'ignore', 'pipe'] });
    checkResolution(folder);
  } catch (error) {
    remove();
    throw error;
  }
  return { commit, program: join(folder, 'bin/netyard'), remove };
}

/** Installed packages are this project's; `@netyard/NAME` is the package of the unpacked tree. */
function linkModules(folder: string): void {
  const [modules, own] = [join(top, 'node_modules'), join(folder, 'node_modules')];
  mkdirSync(join(own, '@netyard'), { recursive: true });
  for (const name of readdirSync(modules)) if (name !== '@netyard') symlinkSync(join(modules, name), join(own, name));
  for (const name of readdirSync(join(folder, 'packages')))
    symlinkSync(join('../../packages', name), join(own, '@netyard', name));
}

/** Throws if the unpacked tree would load a package of this one. */
function checkResolution(folder: string): void {
  const script = "console.log(import.meta.resolve('@netyard/network'))";
  const options = { cwd: join(folder, 'packages/daemon'), encoding: 'utf8' } as const;
  const resolved = execFileSync(process.execPath, ['--input-type=module', '-e', script], options);
  const expected = pathToFileURL(join(folder, 'packages/network')).href;
  if (!resolved.startsWith(expected)) throw new Error(`@netyard/network of the version before is ${resolved.trim()}`);
}

/** Starts the former daemon on the data folder that the current one will use. */
export async function startFormerDaemon(
  host: TestHost,
  { program }: FormerVersion,
  more: readonly string[],
): Promise<void> {
  const socket = 'unix:///run/netyard/netyard.sock';
  const options = [...more, '--data-root', host.dataFolder, '--exec-root', '/run/netyard', '-H', socket];
  await host.run(['sh', '-c', 'setsid --fork "$@" > /run/former-daemon.log 2>&1', 'sh', program, 'daemon', ...options]);
  try {
    await until(async () => (await host.tryDocker('version')).status === 0, 'the former daemon responds');
  } catch (error) {
    throw new Error(await host.sh('cat /run/former-daemon.log'), { cause: error });
  }
}

/** Ends the daemon as `systemctl stop` does; containers continue. */
export async function stopDaemon(host: TestHost): Promise<void> {
  const pid = (await host.sh('cat /run/netyard/netyard.pid')).trim();
  await host.sh(`kill ${pid}`);
  await until(async () => (await host.run(['kill', '-0', pid])).status !== 0, 'the daemon ends');
}
