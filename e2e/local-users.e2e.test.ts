/** Unprivileged users of the host have no access to the daemon's files and sockets. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const skip = cannotRun('netyard');
let host: TestHost;
before(async () => {
  if (skip === false) host = await openHost('netyard', { images: ['netyard-test'] });
});
after(() => host?.close());

/**
 * Walks the folders as root and tries to open, list, write and connect to each entry as uid 65534 (Perl: `$>` is the
 * effective uid). Files of containers have the image's modes, but only inside folders without access.
 */
const probe = String.raw`
use strict; use Fcntl; use Socket; # modules of perl-base, which every Debian has
my @paths = grep { -e } @ARGV;
for (my $at = 0; $at < @paths; $at++) {
  next if -l $paths[$at] || !-d _ || !opendir(my $d, $paths[$at]);
  push @paths, map { "$paths[$at]/$_" } grep { !/^\.\.?$/ } readdir $d;
}
$) = "65534 65534"; $> = 65534; die "still root" if $> == 0;
for my $path (@paths) {
  my @stat = lstat $path or next;
  my $kind = $stat[2] & 0170000;
  next if $kind == 0120000;
  if ($kind == 0140000) {
    socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
    my $address = eval { sockaddr_un($path) } or next;
    print "connect $path\n" if connect($s, $address);
  } elsif ($kind == 0040000) {
    print "list $path\n" if opendir(my $d, $path);
    print "write $path\n" if -w _ && mkdir("$path/of-65534");
  } else {
    print "read $path\n" if sysopen(my $r, $path, O_RDONLY | O_NONBLOCK);
    print "write $path\n" if sysopen(my $w, $path, O_WRONLY | O_NONBLOCK);
  }
}`;

test('an unprivileged user cannot open, list, write or connect to anything of a running daemon', { skip }, async () => {
  await host.docker('volume', 'create', 'data');
  await host.docker(
    'run',
    '-d',
    '--name',
    'one',
    '-v',
    'data:/data',
    'netyard-test',
    'sh',
    '-c',
    'echo out; sleep 1000',
  );
  await host.docker('run', '-dit', '--name', 'two', '-p', '8080:80', 'netyard-test', 'sh');
  await host.docker(
    'exec',
    'one',
    'sh',
    '-c',
    'echo secret > /data/file; chmod 666 /data/file; echo secret > /etc/secret',
  );
  const output = await host.output('perl', '-e', probe, '/run/netyard', host.dataFolder);
  // Public on purpose: the pid, and copies of public programs.
  const allowed = [/^read \/run\/netyard\/netyard\.pid$/, /^read \S+\/programs\/(crun|containerd-shim-netyard)$/];
  const open = output.split('\n').filter((line) => line !== '' && !allowed.some((one) => one.test(line)));
  assert.deepEqual(open, []);
});

test('a container inherits no variables and no descriptors of the daemon', { skip }, async () => {
  await host.docker('run', '-d', '--name', 'plain', '-e', 'OWN=1', 'netyard-test', 'sleep', '1000');
  const names = (await host.docker('exec', 'plain', 'sh', '-c', 'tr "\\0" "\\n" < /proc/1/environ')).split('\n');
  assert.deepEqual(names.map((entry) => entry.split('=')[0]).sort(), ['HOME', 'HOSTNAME', 'OWN', 'PATH']);
  for (const where of ['plain', 'one', 'two']) {
    const descriptors = await host.docker('exec', where, 'sh', '-c', 'ls -l /proc/1/fd | sed -n "s/.* -> //p"');
    assert.equal(descriptors.split('\n').length, where === 'two' ? 4 : 3, descriptors);
    assert.doesNotMatch(descriptors, /netyard|containerd|anon_inode|socket/, descriptors);
    const own = await host.docker('exec', where, 'sh', '-c', 'ls -l /proc/self/fd | sed -n "s/.* -> //p"');
    assert.doesNotMatch(own, /netyard|containerd|anon_inode|socket/, own);
  }
});
