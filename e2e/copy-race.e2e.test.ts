/**
 * `docker cp` against a process in the container that swaps a folder for a symbolic link all the time. Whatever path
 * the copy resolves, it stays inside the container. NETYARD_RACE_ROUNDS=10000 for the long version.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const skip = cannotRun('netyard');
const rounds = Number(process.env['NETYARD_RACE_ROUNDS'] ?? '300');
let host: TestHost;

/** `/x/dir` is by turns a folder with a harmless file and a link to a folder that the host has, too. */
const flipper = `
mkdir -p /x/real /victim; echo inside > /x/real/file; echo inside > /victim/file
cd /x; mv real dir; ln -s /victim link; ln -s ../../../../../../../victim up
while :; do
  mv dir real; mv link dir; mv dir link; mv up dir; mv dir up; mv real dir
done`;

before(async () => {
  if (skip !== false) return;
  host = await openHost('netyard', { images: ['netyard-test'] });
  await host.sh('mkdir -p /victim && echo of-the-host > /victim/file');
  await host.docker('run', '-d', '--name', 'flipper', 'netyard-test', 'sh', '-c', flipper);
});
after(() => host?.close());

/** All rounds are requests of one curl: its URL ranges. What comes is looked through as bytes, errors included. */
function curl(rounds: number, path: string, options = ''): string {
  const url = `http://d/containers/flipper/archive?path=${encodeURIComponent(path)}&round=[1-${rounds}]`;
  return `curl -s --unix-socket /run/netyard/netyard.sock ${options} '${url}'`;
}

test(`out of a container: ${rounds} copies never show a file of the host`, { skip }, async () => {
  for (const path of ['/x/dir/file', '/x/dir/', '/x/dir/.', '/x']) {
    await host.sh(`${curl(rounds, path)} > /tmp/copied || true`); // an entry that goes while it is packed may end the archive
    if (path !== '/x')
      assert.notEqual(await host.sh('grep -ac inside /tmp/copied'), '0\n', 'some of the copies succeed');
    assert.equal(await host.sh('grep -ac of-the-host /tmp/copied || true'), '0\n', path);
  }
});

test(`into a container: ${rounds} copies never write on the host`, { skip }, async () => {
  await host.sh('cd /tmp && echo planted > planted && echo planted > file && tar -cf planted.tar planted file');
  const put = "-X PUT --data-binary @/tmp/planted.tar -o /dev/null -w '%{http_code}\\n'";
  const said = await host.sh(`${curl(rounds, '/x/dir', put)} | sort | uniq -c`);
  assert.match(said, / 200/, said);
  assert.equal(await host.sh('cat /victim/file; ls /victim'), 'of-the-host\nfile\n');
  assert.equal(await host.docker('ps', '--format', '{{.Names}}'), 'flipper');
});
