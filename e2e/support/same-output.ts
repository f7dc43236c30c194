/** Runs the same commands on Netyard and on Debian's dockerd and compares what they print, with ids and times normalized. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './engines.ts';
import { openHost, type TestHost } from './host.ts';
import type { ImageName } from './images.ts';

/** Replaces values that may differ. */
function normalize(text: string): string {
  return text
    .replace(/sha256:[0-9a-f]{64}/g, '<digest>')
    .replace(/\b[0-9a-f]{64}\b/g, '<id>')
    .replace(/\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}\b/g, '<short>')
    .replace(/\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)/g, '<time>')
    .replace(/(About )?(\d+|an?|Less than a) (second|minute)s?( ago)?/gi, '<while>')
    .replace(/, (:::|\[::\]:)\d+->\d+\/\w+/g, '') // Netyard publishes no IPv6 yet
    .replace(/^.*-> (\[::\]|::):\d+\n/gm, '');
}

export interface SameOutputOptions {
  images: readonly ImageName[];
  /** Why the commands cannot run here. */
  skip?: string | false;
  /** Environment variables and folder of the commands. */
  environment?: Record<string, string>;
  folder?: string;
}

/** @param lines commands in order; each may depend on those before. `!` marks commands that must fail. */
export function testSameOutput(title: string, options: SameOutputOptions, lines: readonly string[]): void {
  const { images, environment = {}, folder = '/' } = options;
  const skip = cannotRun('netyard') || cannotRun('dockerd') || (options.skip ?? false);
  describe(title, { skip }, () => {
    let netyard: TestHost;
    let dockerd: TestHost;
    before(async () => {
      [netyard, dockerd] = await Promise.all([openHost('netyard', { images }), openHost('dockerd', { images })]);
    });
    after(async () => {
      await Promise.all([netyard?.close(), dockerd?.close()]);
    });

    for (const line of lines)
      test(line, async () => {
        const [ours, theirs] = await Promise.all(
          [netyard, dockerd].map((host) =>
            host.run(['sh', '-c', `cd ${folder}; ${line.replace(/^! /, '')}`], { environment }),
          ),
        );
        assert.ok(ours && theirs);
        const mustFail = line.startsWith('! ');
        assert.equal(theirs.status !== 0, mustFail, `dockerd: status ${theirs.status}: ${theirs.stderr}`);
        const resultOf = ({ status, stdout }: typeof ours): string => `${normalize(stdout)}status ${status}`;
        assert.equal(
          resultOf(ours),
          resultOf(theirs),
          `stderr of netyard: ${ours.stderr}\nstderr of dockerd: ${theirs.stderr}`,
        );
      });
  });
}
