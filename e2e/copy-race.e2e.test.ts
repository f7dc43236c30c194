/**
 * Races `docker cp` against a process in the container that keeps replacing a folder by a symbolic link: the copy
 * always stays inside the container. NETYARD_RACE_ROUNDS=10000 is the long version.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { type CommandResult, openHost, type TestHost, until } from './support/host.ts';

const skip = cannotRun('netyard');
const rounds = Number(process.env['NETYARD_RACE_ROUNDS'] ?? '300');
let host: TestHost;

/** `/x/dir` alternates between a folder with a harmless file and a link to a path that also exists on the host. */
const flipper = `
mkdir -p /x/real /run/victim; echo inside > /x/real/file; echo inside > /run/victim/file
cd /x; mv real dir; ln -s /run/victim link; ln -s ../../../../../../../run/victim up
while :; do
  mv dir real; mv link dir; mv dir link; mv up dir; mv dir up; mv real dir
done`;

before(async () => {
  if (skip !== false) return;
  host = await openHost('netyard', { images: ['netyard-test'] });
  await host.sh('mkdir /run/victim && echo of-the-host > /run/victim/file');
  await host.docker('run', '-d', '--name', 'flipper', 'netyard-test', 'sh', '-c', flipper);
  const begun = (): Promise<CommandResult> => host.tryDocker('exec', 'flipper', 'ls', '/x/up', '/x/link');
  await until(async () => !/No such file.*No such file/s.test((await begun()).stderr), 'it has made its links');
});
after(() => host?.close());

/** One curl process sends the requests of all rounds (a URL range). Its output, errors included, is searched as bytes. */
function curl(rounds: number, path: string, options = ''): string {
  const url = `http://d/containers/flipper/archive?path=${encodeURIComponent(path)}&round=[1-${rounds}]`;
  return `curl -s --unix-socket /run/netyard/netyard.sock ${options} '${url}'`;
}

test(`${rounds} copies out of a container never contain a file of the host`, { skip }, async () => {
  for (const path of ['/x/dir/file', '/x/dir/', '/x/dir/.', '/x']) {
    // On a busy machine the folder may be absent during all rounds: they are repeated until some of the copies succeed.
    await until(async () => {
      await host.sh(`${curl(rounds, path)} > /run/copied || true`); // an entry that disappears while it is packed may end the archive
      assert.equal(await host.sh('grep -ac of-the-host /run/copied || true'), '0\n', path);
      return path === '/x' || (await host.sh('grep -ac inside /run/copied || true')) !== '0\n';
    }, `a copy of ${path} succeeds`);
  }
});

test(`${rounds} copies into a container never write to the host`, { skip }, async () => {
  await host.sh('cd /run && echo planted > planted && echo planted > file && tar -cf planted.tar planted file');
  const put = "-X PUT --data-binary @/run/planted.tar -o /dev/null -w '%{http_code}\\n'";
  await until(async () => {
    const statuses = await host.sh(`${curl(rounds, '/x/dir', put)} | sort | uniq -c`);
    assert.equal(await host.sh('cat /run/victim/file; ls /run/victim'), 'of-the-host\nfile\n');
    return / 200/.test(statuses);
  }, 'a copy succeeds');
  assert.equal(await host.docker('ps', '--format', '{{.Names}}'), 'flipper');
});
