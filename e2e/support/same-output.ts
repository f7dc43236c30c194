/** Runs the same commands on Netyard and on Debian's dockerd and compares what they print, with ids and times normalized. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './engines.ts';
import { type CommandResult, type HostOptions, openHost, type TestHost } from './host.ts';
import type { ImageName } from './images.ts';

/** Replaces values that may differ. */
export function normalize(text: string): string {
  return text
    .replace(/sha256:[0-9a-f]{64}/g, '<digest>')
    .replace(/\b[0-9a-f]{64}\b/g, '<id>')
    .replace(/\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}\b/g, '<short>')
    .replace(/\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)/g, '<time>')
    .replace(/(About )?(\d+|an?|Less than a) (second|minute)s?( ago)?/gi, '<while>')
    .replace(/, (:::|\[::\]:)\d+->\d+\/\w+/g, '') // Netyard publishes no IPv6 yet
    .replace(/^.*-> (\[::\]|::):\d+\n/gm, '');
}

export interface HostPair {
  netyard: TestHost;
  dockerd: TestHost;
}

/** A lab host with Netyard and one with dockerd. */
export async function openPair(
  images: readonly ImageName[],
  options: Pick<HostOptions, 'daemonOptions'> = {},
): Promise<HostPair> {
  const [netyard, dockerd] = await Promise.all([
    openHost('netyard', { images, ...options }),
    openHost('dockerd', { images, ...options }),
  ]);
  return { netyard, dockerd };
}

export async function closePair(pair: Partial<HostPair>): Promise<void> {
  await Promise.all([pair.netyard?.close(), pair.dockerd?.close()]);
}

/** Runs one shell line on both hosts at once. */
export async function runOnBoth(
  { netyard, dockerd }: HostPair,
  line: string,
  environment: Record<string, string> = {},
): Promise<{ ours: CommandResult; theirs: CommandResult }> {
  const [ours, theirs] = await Promise.all(
    [netyard, dockerd].map((host) => host.run(['sh', '-c', line], { environment })),
  );
  assert.ok(ours && theirs);
  return { ours, theirs };
}

export interface SameOutputOptions extends Pick<HostOptions, 'daemonOptions'> {
  images: readonly ImageName[];
  /** Why the commands cannot run here. */
  skip?: string | false;
  /** Environment variables and folder of the commands. */
  environment?: Record<string, string>;
  folder?: string;
  /** Loads further images, for example. */
  prepare?: (pair: HostPair) => Promise<void>;
}

/** @param lines commands in order; each may depend on those before. `!` marks commands that must fail. */
export function testSameOutput(title: string, options: SameOutputOptions, lines: readonly string[]): void {
  const { images, environment = {}, folder = '/', daemonOptions = [] } = options;
  const skip = cannotRun('netyard') || cannotRun('dockerd') || (options.skip ?? false);
  describe(title, { skip }, () => {
    let pair: HostPair;
    before(async () => {
      pair = await openPair(images, { daemonOptions });
      await options.prepare?.(pair);
    });
    after(async () => {
      await closePair(pair ?? {});
    });

    for (const line of lines)
      test(line, async () => {
        const { ours, theirs } = await runOnBoth(pair, `cd ${folder}; ${line.replace(/^! /, '')}`, environment);
        const mustFail = line.startsWith('! ');
        assert.equal(theirs.status !== 0, mustFail, `dockerd: status ${theirs.status}: ${theirs.stderr}`);
        const resultOf = ({ status, stdout }: CommandResult): string => `${normalize(stdout)}status ${status}`;
        assert.equal(
          resultOf(ours),
          resultOf(theirs),
          `stderr of netyard: ${ours.stderr}\nstderr of dockerd: ${theirs.stderr}`,
        );
      });
  });
}
