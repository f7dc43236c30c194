/**
 * Tests each flag that docker's --help lists for run, create, update, exec, network create, network connect and volume
 * create: its effect in a container or in inspect, its rejection or its warning. Runs on Netyard and, where dockerd 20.10
 * has the flag, on dockerd, with the same expectation.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type FlagCommand, flagEntry } from '@netyard/api-types';
import { type Case, cases } from './flags/cases.ts';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const image = 'netyard-test';
/** Files for the containers, different for each run because lab hosts may share /tmp. */
const folder = `/tmp/netyard-flags-${process.pid}`;
const commands = Object.keys(cases) as FlagCommand[];

/** A block device with a disk: for others the kernel accepts no limits. */
const blockDevice = readdirSync('/sys/block').find((name) => !/^(loop|ram|zram|sr|fd|dm-)/.test(name)) ?? '';
const unsuitable =
  existsSync('/sys/fs/cgroup/cgroup.controllers') && 'the probes read limits where cgroup version 1 has them';

/** The cases are docker 28's flags and messages; the command of Debian 12 is of version 20.10. */
const olderCommand = ((): string | false => {
  const format = ['version', '--format', '{{.Client.Version}}'];
  const version = spawnSync('docker', format, { encoding: 'utf8' }).stdout?.trim() ?? '';
  return Number.parseInt(version, 10) < 28 && `tests the flags of docker 28, here is ${version}`;
})();

const flagsInHelp = (command: FlagCommand): string[] => {
  const help = execFileSync('docker', [...command.split(' '), '--help'], { encoding: 'utf8' });
  const names = [...help.matchAll(/^ {2,6}(?:-\w, )?--([a-z0-9-]+)/gm)].map(([, name = '']) => name);
  return names.filter((name) => name !== 'help');
};

const matches = (text: string, expected: string | RegExp): boolean =>
  typeof expected === 'string' ? text.trim() === expected : expected.test(text.trim());

for (const engine of ['netyard', 'dockerd'] as const) {
  const skip = cannotRun(engine) || unsuitable || olderCommand;
  describe(`${engine}: flags`, { skip, concurrency: 1 }, () => {
    let host: TestHost;
    let created = 0;

    before(async () => {
      if (skip !== false) return;
      host = await openHost(engine, { images: [image] });
      await host.sh(`mkdir -p ${folder}; echo SHAPE=round > ${folder}/env; echo tier=web > ${folder}/labels`);
      await host.docker('run', '-d', '--name', 'target', '-v', 'data:/data', image, 'sleep', '1000');
      for (const name of ['first', 'second', 'moving'])
        await host.docker('run', '-d', '--name', name, image, 'sleep', '1000');
      await host.docker('network', 'disconnect', 'bridge', 'moving');
      await host.docker('network', 'create', '--subnet', '10.77.0.0/16', 'front');
    });
    after(async () => {
      await host?.sh(`rm -rf ${folder}`);
      await host?.close();
    });

    const shell = (text: string) =>
      host.run([
        'sh',
        '-c',
        text.replaceAll('$I', image).replaceAll('$T', folder).replaceAll('$B', `/dev/${blockDevice}`),
      ]);
    const isApplicable = ({ only, ...one }: Case): boolean =>
      (only === undefined || only === engine) && (blockDevice !== '' || !JSON.stringify(one).includes('$B'));

    async function create(flags: string): Promise<{ name: string; status: number; stderr: string }> {
      created += 1;
      const name = `flag-${created}`;
      const { status, stderr } = await shell(`docker create --name ${name} ${flags} $I true`);
      return { name, status, stderr };
    }

    /** Checks one flag with a container that is created but not started. */
    async function checkCreate(command: FlagCommand, flag: string, one: Case): Promise<void> {
      if (one.kind === 'line') return await checkLine(one);
      const { name, status, stderr } = await create(one.flags);
      if (one.kind === 'rejected') {
        assert.notEqual(status, 0);
        assert.match(stderr, one.message);
        return;
      }
      assert.equal(status, 0, stderr);
      if (one.kind === 'warned') assert.match(stderr, one.message);
      if (one.kind === 'inspected') {
        const path = flagEntry(command, flag)?.path ?? '';
        const shown = path.startsWith('HostConfig.') ? path : `Config.${path}`;
        assert.deepEqual(JSON.parse(await host.docker('inspect', '-f', `{{json .${shown}}}`, name)), one.value);
      }
      await host.docker('rm', name);
    }

    async function checkLine(one: Case & { kind: 'line' }): Promise<void> {
      const { stdout, stderr } = await shell(one.line);
      assert.ok(matches(stdout, one.prints), `${one.line}\nprinted ${stdout}${stderr}`);
    }

    /** Checks several flags in one container, which runs their probes one after the other. */
    async function checkInside(list: readonly [flag: string, one: Case & { kind: 'inside' }][]): Promise<void> {
      const flags = list.map(([, one]) => one.flags).join(' ');
      const probes = list.map(([flag, one]) => `echo "== ${flag}"; ${one.probe}`).join('\n');
      await host.sh(`cat > ${folder}/probes <<'END'\n${probes}\nEND`);
      const { stdout, stderr } = await shell(`docker run --rm -v ${folder}/probes:/probes ${flags} $I sh /probes`);
      const printed = new Map(
        stdout.split(/^== /m).map((part) => [part.split(/\r?\n/)[0] ?? '', part.replace(/^.*\r?\n/, '')]),
      );
      for (const [flag, one] of list) {
        const text = printed.get(flag) ?? '';
        assert.ok(matches(text, one.prints), `${one.flags}\nprinted ${text}${stderr}`);
      }
    }

    for (const command of commands) {
      test(`${command}: each flag of docker's --help has a case and an entry in the tables of fields`, () => {
        for (const flag of flagsInHelp(command)) {
          assert.ok(cases[command][flag], `no case for ${command} --${flag}`);
          assert.ok(flagEntry(command, flag), `the tables of fields do not have ${command} --${flag}`);
        }
      });
      const all = Object.entries(cases[command]).flatMap(([flag, list]) =>
        list.filter(isApplicable).map((one): [string, Case] => [flag, one]),
      );
      if (command === 'run') {
        test('run: flags that are tested together in one container', async () => {
          const together = all.flatMap(([flag, one]): [string, Case & { kind: 'inside' }][] =>
            one.kind === 'inside' && !one.alone ? [[flag, one]] : [],
          );
          await checkInside(together);
        });
      }
      for (const [flag, one] of all) {
        if (command === 'run' && one.kind === 'inside' && !one.alone) continue;
        // `run` and `create` send the same request: effects on a created container are tested once, with `create`.
        if (command === 'run' && one.kind !== 'inside' && cases.create[flag]?.includes(one)) continue;
        test(`${command} --${flag}: ${one.kind}`, () =>
          command === 'run' && one.kind === 'inside' ? checkInside([[flag, one]]) : checkCreate(command, flag, one));
      }
    }
  });
}

test('docker’s --help lists more than 200 flags', { skip: cannotRun('netyard') || olderCommand }, (t) => {
  const counts = { supported: 0, rejected: 0, warning: 0, ignored: 0 };
  for (const command of commands)
    for (const flag of flagsInHelp(command)) {
      const status = flagEntry(command, flag)?.status ?? 'supported';
      const kind = typeof status === 'string' ? status : (Object.keys(status)[0] as keyof typeof counts);
      counts[kind] += 1;
    }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${total} flags: ${JSON.stringify(counts)}`);
  assert.ok(total > 200, `only ${total} flags were found in docker's --help`);
});
