import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  appendLines,
  formatHosts,
  linkNames,
  ownNames,
  parseExtraHost,
  removeLinkLines,
  removeOwnLines,
  updateLinkLines,
} from './hosts.ts';
import { formatInternalResolvConf } from './internal-resolv-conf.ts';
import { formatResolvConf } from './resolv-conf.ts';

const own = { address: '172.17.0.4', names: ['9c5d5b70205e'] };
const web1 = { address: '172.17.0.2', names: linkNames('web1', 'd1877cad5f0a', 'nginx-1') };

test("a hosts file is the tutorial's, with TABs", () => {
  const text = formatHosts({ ipv6: true, extra: [], links: [web1], own: [own] });
  assert.equal(
    text,
    `127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
ff00::0	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
172.17.0.2	web1 d1877cad5f0a nginx-1
172.17.0.4	9c5d5b70205e
`,
  );
});

test('without IPv6 all its lines are left out; --add-host lines come before links', () => {
  const extra = ['db:10.0.0.9', 'six:[fd00::9]'].flatMap((text) => parseExtraHost(text, []));
  assert.equal(
    formatHosts({ ipv6: false, extra, links: [web1], own: [own] }),
    '127.0.0.1\tlocalhost\n10.0.0.9\tdb\n172.17.0.2\tweb1 d1877cad5f0a nginx-1\n172.17.0.4\t9c5d5b70205e\n',
  );
});

test('a hosts line has the full name before the bare one, and each name once', () => {
  assert.deepEqual(linkNames('nginx-1', 'c045c82e85bd', 'nginx-1'), ['nginx-1', 'c045c82e85bd']);
  assert.deepEqual(ownNames('web', 'example.org'), ['web.example.org', 'web']);
  assert.deepEqual(ownNames('web', undefined), ['web']);
});

test('--add-host texts are parsed and checked', () => {
  assert.deepEqual(parseExtraHost('h:host-gateway', ['172.17.0.1', 'fd00::1']), [
    { address: '172.17.0.1', names: ['h'] },
    { address: 'fd00::1', names: ['h'] },
  ]);
  assert.deepEqual(parseExtraHost('six:fd00::9', []), [{ address: 'fd00::9', names: ['six'] }]);
  assert.throws(() => parseExtraHost('x', []), { message: 'bad format for add-host: "x"' });
  assert.throws(() => parseExtraHost('a b:1.2.3.4', []), { message: 'bad format for add-host: "a b:1.2.3.4"' });
  assert.throws(() => parseExtraHost('h:1.2.3', []), { message: 'invalid IP address in add-host: "1.2.3"' });
  assert.throws(() => parseExtraHost('h:host-gateway', []), /unable to derive the IP value for host-gateway/);
});

const dual =
  '10.0.0.1\tweb1\n172.17.0.2\tweb1 h nginx-1\nfd00::2\tweb1 h nginx-1\n172.17.0.2\tweb10 h\n172.17.0.4\tme\n';

test('a new address replaces the one of its own family, and no line of another name', () => {
  const entries = [
    { address: '172.17.0.9', names: ['web1', 'h', 'new'] },
    { address: 'fd00::9', names: ['web1', 'h', 'new'] },
  ];
  assert.equal(
    updateLinkLines(dual, 'web1', entries, 'me'),
    '10.0.0.1\tweb1\n172.17.0.9\tweb1 h nginx-1\nfd00::9\tweb1 h nginx-1\n172.17.0.2\tweb10 h\n172.17.0.4\tme\n',
  );
});

test('a line of a family that the target no longer has is removed', () => {
  const entries = [{ address: '172.17.0.9', names: ['web1', 'h', 'new'] }];
  assert.equal(
    updateLinkLines(dual, 'web1', entries, 'me'),
    '10.0.0.1\tweb1\n172.17.0.9\tweb1 h nginx-1\n172.17.0.2\tweb10 h\n172.17.0.4\tme\n',
  );
});

test('a link without a line gets one above the own line, or at the end', () => {
  const entries = [{ address: '172.17.0.9', names: ['db', 'h'] }];
  assert.equal(
    updateLinkLines('1.1.1.1\ta\n2.2.2.2\tme\n', 'db', entries, 'me'),
    '1.1.1.1\ta\n172.17.0.9\tdb h\n2.2.2.2\tme\n',
  );
  assert.equal(updateLinkLines('1.1.1.1\ta', 'db', entries, 'me'), '1.1.1.1\ta\n172.17.0.9\tdb h');
});

test('removing deletes only link lines, or only own lines', () => {
  assert.equal(removeLinkLines(dual, 'web1'), '10.0.0.1\tweb1\n172.17.0.2\tweb10 h\n172.17.0.4\tme\n');
  assert.equal(removeOwnLines('# me\n172.17.0.4\tme\n9.9.9.9\tme\n', 'me', ['172.17.0.4']), '# me\n9.9.9.9\tme\n');
  assert.equal(appendLines('a\tb', [own]), 'a\tb\n172.17.0.4\t9c5d5b70205e\n');
});

const options = { dns: [], dnsSearch: [], dnsOptions: [], hostNamespace: false, ipv6: false };

test("resolv.conf: the host's file without name servers that only the host reaches", () => {
  const host =
    '# comment\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 10.0.0.53\ndomain a\nsearch b c\noptions edns0\nsortlist 1.2.3.0\n';
  assert.equal(
    formatResolvConf({ ...options, host }),
    'nameserver 10.0.0.53\nsearch b c\noptions edns0\nsortlist 1.2.3.0\n',
  );
  assert.equal(
    formatResolvConf({ ...options, host: 'nameserver 127.0.0.1\n' }),
    'nameserver 8.8.8.8\nnameserver 8.8.4.4\n',
  );
  assert.equal(
    formatResolvConf({ ...options, host: 'nameserver 127.0.0.1\n', hostNamespace: true }),
    'nameserver 127.0.0.1\n',
  );
});

test('resolv.conf: --dns, --dns-search and --dns-option replace those of the host', () => {
  assert.equal(
    formatResolvConf({
      ...options,
      host: 'nameserver 9.9.9.9\nsearch a\noptions b\n',
      dns: ['1.1.1.1'],
      dnsSearch: ['.'],
      dnsOptions: ['ndots:2'],
    }),
    'nameserver 1.1.1.1\noptions ndots:2\n',
  );
});

test("resolv.conf on a user-defined network is Docker's, with comments on the servers that are asked", () => {
  const none = { dns: [], dnsSearch: [], dnsOptions: [] };
  const format = (host: string, own: object = {}, daemon: object = {}): string[] =>
    formatInternalResolvConf({
      ...{ host, hostPath: '/etc/resolv.conf', server: '127.0.0.11' },
      ...{ own: { ...none, ...own }, daemon: { ...none, ...daemon } },
    })
      .split('\n')
      .slice(4, -1);
  assert.deepEqual(
    format('nameserver 192.168.1.1\nnameserver bad\nsearch lan\noptions edns0 trust-ad\nsortlist 1.2.3.0\n'),
    [
      'nameserver 127.0.0.11',
      'search lan',
      'options edns0 trust-ad ndots:0',
      'sortlist 1.2.3.0',
      '',
      "# Based on host file: '/etc/resolv.conf' (internal resolver)",
      '# ExtServers: [host(192.168.1.1)]',
      '# Invalid nameservers: [bad]',
      '# Overrides: []',
      '# Option ndots from: internal',
    ],
  );
  const own = { dns: ['1.1.1.1'], dnsSearch: ['.'] };
  assert.deepEqual(format('search lan\noptions ndots:2\n', own, { dnsSearch: ['daemon'] }), [
    'nameserver 127.0.0.11',
    'options ndots:2',
    '',
    "# Based on host file: '/etc/resolv.conf' (internal resolver)",
    '# ExtServers: [1.1.1.1]',
    '# Overrides: [nameservers search]',
    '# Option ndots from: host',
  ]);
  assert.deepEqual(format('options ndots:x\n', {}, { dnsOptions: ['ndots:-1', 'rotate'] }), [
    'nameserver 127.0.0.11',
    'options rotate ndots:0',
    '',
    "# Based on host file: '/etc/resolv.conf' (internal resolver)",
    '# NO EXTERNAL NAMESERVERS DEFINED',
    '# Overrides: [options]',
    '# Option ndots from: internal',
  ]);
});
