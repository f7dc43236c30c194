import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { parseLab } from './lab-file.ts';
import { fillIn } from './service.ts';

const lab = (hosts: string): string => `name: tutorial\nswitch: 172.16.0.0/16\nhosts:\n${hosts}\n`;

test('the lab file of the tutorial defines two servers', () => {
  const text = lab(
    '  server1: { address: 172.16.2.101/16, bip: 192.168.11.1/24 }\n  server2: { address: 172.16.2.102, daemon: false, options: [--icc=false] }',
  );
  assert.deepEqual(parseLab(text, 'lab.yaml'), {
    name: 'tutorial',
    switches: [{ name: 'switch', prefix: '172.16.0.0/16' }],
    hosts: [
      {
        name: 'server1',
        uplinks: [{ switch: 'switch', link: 'ens33', address: '172.16.2.101/16' }],
        bip: '192.168.11.1/24',
        daemon: true,
        daemonOptions: [],
      },
      {
        name: 'server2',
        uplinks: [{ switch: 'switch', link: 'ens33', address: '172.16.2.102/16' }],
        daemon: false,
        daemonOptions: ['--icc=false'],
      },
    ],
  });
});

const sites = (routers: string, hosts: string): string =>
  `name: sites
switches:
  paris: 172.16.1.0/24
  berlin: 172.16.2.0/24
  core: { prefix: 10.255.0.0/24, mtu: 1400 }
routers:
${routers}
hosts:
${hosts}
`;
const twoRouters = '  r1: { paris: 172.16.1.1, core: 10.255.0.1 }\n  r2: { berlin: 172.16.2.1/24, core: 10.255.0.2 }';
const aHost = '  a: { switch: paris, address: 172.16.1.11 }';

test('routers get the shortest path to every switch; hosts use their gateway', () => {
  const hosts =
    '  a: { switch: paris, address: 172.16.1.11, gateway: 172.16.1.1, daemon: [--icc=false] }\n  b: { switch: berlin, address: 172.16.2.11/24, gateway: r2, daemon: false }';
  const lab = parseLab(sites(twoRouters, hosts), 'lab.yaml');
  assert.deepEqual(lab.switches, [
    { name: 'paris', prefix: '172.16.1.0/24' },
    { name: 'berlin', prefix: '172.16.2.0/24' },
    { name: 'core', prefix: '10.255.0.0/24', mtu: 1400 },
  ]);
  const [a, b, r1, r2] = lab.hosts;
  assert.deepEqual(a?.routes, [{ to: 'default', via: '172.16.1.1' }]);
  assert.deepEqual(a?.daemonOptions, ['--icc=false']);
  assert.deepEqual(b?.routes, [{ to: 'default', via: '172.16.2.1' }]);
  assert.deepEqual(r1, {
    name: 'r1',
    uplinks: [
      { switch: 'paris', link: 'paris', address: '172.16.1.1/24' },
      { switch: 'core', link: 'core', address: '10.255.0.1/24' },
    ],
    role: 'router',
    daemon: false,
    daemonOptions: [],
    routes: [{ to: '172.16.2.0/24', via: '10.255.0.2' }],
  });
  assert.deepEqual(r2?.routes, [{ to: '172.16.1.0/24', via: '10.255.0.1' }]);
});

test('in a chain of routers each routes to the next one, in a ring along the shorter side', () => {
  const names = ['n0', 'n1', 'n2', 'n3', 'n4', 'n5'];
  const ring = names.map((name, index) => {
    const next = (index + 1) % names.length;
    return `  r${index}: { ${name}: 10.0.${index}.1, n${next}: 10.0.${next}.2 }`;
  });
  const switches = names.map((name, index) => `  ${name}: 10.0.${index}.0/24`);
  const text = `name: ring\nswitches:\n${switches.join('\n')}\nrouters:\n${ring.join('\n')}\nhosts: { a: { switch: n0, address: 10.0.0.9 } }`;
  const router = parseLab(text, 'lab.yaml').hosts.find((host) => host.name === 'r0');
  assert.deepEqual(router?.routes, [
    { to: '10.0.2.0/24', via: '10.0.1.1' },
    { to: '10.0.3.0/24', via: '10.0.1.1' },
    { to: '10.0.4.0/24', via: '10.0.0.2' },
    { to: '10.0.5.0/24', via: '10.0.0.2' },
  ]);
});

test('an unreachable switch has no route; a configured route overrides the computed one', () => {
  const island = parseLab(sites('  r1: { paris: 172.16.1.1, core: 10.255.0.1 }', aHost), 'lab.yaml');
  assert.deepEqual(island.hosts[1]?.routes, undefined);
  const routers = `${twoRouters}\n  r3: { core: 10.255.0.3, berlin: 172.16.2.3 }`.replace(
    'core: 10.255.0.1',
    'core: 10.255.0.1, routes: { 172.16.2.0/24: 10.255.0.3, 192.168.1.0/24: 172.16.1.11, default: 10.255.0.2 }',
  );
  assert.deepEqual(parseLab(sites(routers, aHost), 'lab.yaml').hosts[1]?.routes, [
    { to: '172.16.2.0/24', via: '10.255.0.3' },
    { to: '192.168.1.0/24', via: '172.16.1.11' },
    { to: 'default', via: '10.255.0.2' },
  ]);
});

test('a host has services, in short form or with a readiness check', () => {
  const services = 'services: { a: "x {state}", etcd: { run: "etcd --name {host}", ready: "etcdctl get x" } }';
  const [host] = parseLab(lab(`  h: { address: 172.16.2.101, ${services} }`), 'lab.yaml').hosts;
  assert.ok(host);
  assert.deepEqual(host.services, [
    { name: 'a', run: 'x {state}' },
    { name: 'etcd', run: 'etcd --name {host}', ready: 'etcdctl get x' },
  ]);
  assert.equal(
    fillIn('{host} at {address} in {state}/x, $' + '{host}', 'tutorial', host),
    'h at 172.16.2.101 in /var/lib/netyard-lab/tutorial/h/state/x, $' + '{host}',
  );
});

function refuses(text: string, message: RegExp): void {
  assert.throws(
    () => parseLab(text, 'lab.yaml'),
    (error) => isNetyardError(error, 'invalid') && message.test(error.message),
    `${JSON.stringify(text)} should say ${message}`,
  );
}

test('inconsistent switches, routers and hosts are rejected', () => {
  const top = 'name: x\nswitch: 172.16.0.0/16\n';
  const loop = twoRouters
    .replace('core: 10.255.0.1', 'core: 10.255.0.1, routes: { 192.168.0.0/16: 10.255.0.2 }')
    .replace('core: 10.255.0.2 }', 'core: 10.255.0.2, routes: { default: 10.255.0.1 } }');
  const routed = (routes: string): string =>
    sites(twoRouters.replace('core: 10.255.0.1 }', `core: 10.255.0.1, routes: { ${routes} } }`), aHost);
  const cases: [string, RegExp][] = [
    [
      sites(twoRouters, '  a: { switch: oslo, address: 172.16.1.11 }'),
      /^lab\.yaml:10:16: hosts\.a\.switch: unknown switch oslo; known are paris, berlin, core$/,
    ],
    [sites(twoRouters, '  a: { address: 172.16.1.11 }'), /hosts\.a: requires a switch: one of paris, berlin, core/],
    [
      sites(twoRouters, '  a: { switch: paris, address: 172.16.2.11 }'),
      /hosts\.a\.address: 172\.16\.2\.11 is outside the switch paris, 172\.16\.1\.0\/24/,
    ],
    [
      sites(twoRouters, '  a: { switch: paris, address: 172.16.1.1 }'),
      /routers\.r1\.paris: 172\.16\.1\.1 is already the address of a/,
    ],
    [sites(twoRouters, '  r1: { switch: paris, address: 172.16.1.11 }'), /routers\.r1: duplicate host name r1/],
    [sites('  r1: { oslo: 172.16.1.1 }', aHost), /^lab\.yaml:7:15: routers\.r1\.oslo: unknown switch oslo/],
    [sites('  r1: { routes: {} }', aHost), /routers\.r1: requires a switch/],
    [sites('  r1: { paris: 10.0.0.1 }', aHost), /routers\.r1\.paris: 10\.0\.0\.1 is outside/],
    [
      sites(twoRouters, '  a: { switch: paris, address: 172.16.1.11, gateway: 172.16.2.1 }'),
      /hosts\.a\.gateway: 172\.16\.2\.1 is unreachable: it is not on paris/,
    ],
    [
      sites(twoRouters, '  a: { switch: paris, address: 172.16.1.11, gateway: 172.16.1.9 }'),
      /no host on paris has the address 172\.16\.1\.9/,
    ],
    [
      sites(twoRouters, '  a: { switch: paris, address: 172.16.1.11, gateway: 172.16.1.11 }'),
      /is the own address of a/,
    ],
    [
      sites(twoRouters, '  a: { switch: paris, address: 172.16.1.11, gateway: r2 }'),
      /hosts\.a\.gateway: router r2 is not connected to paris/,
    ],
    [
      sites(twoRouters, '  a: { switch: paris, address: 172.16.1.11, gateway: nowhere }'),
      /invalid IP address: nowhere/,
    ],
    [
      sites(twoRouters, '  a: { switch: paris, address: 172.16.1.11, gateway: r1, routes: { default: 172.16.1.1 } }'),
      /a default route is already configured/,
    ],
    [
      sites(twoRouters, '  a: { switch: paris, address: 172.16.1.11, bip: 10.255.0.1/16 }'),
      /hosts\.a\.bip: 10\.255\.0\.1\/16 overlaps with the switch core/,
    ],
    [routed('172.16.9.1/24: 10.255.0.2'), /host bits set: use 172\.16\.9\.0\/24/],
    [routed('172.16.1.0/24: 10.255.0.2'), /r1 is directly connected to 172\.16\.1\.0\/24/],
    [routed('everything: 10.255.0.2'), /use a prefix, or default/],
    [routed('0.0.0.0/0: 10.255.0.2'), /use default/],
    [routed('10.1.0.0/16: 10.255.0.9'), /routers\.r1\.routes\.10\.1\.0\.0\/16: no host on core has the address/],
    [routed('10.1.0.0/16: 10.9.0.9'), /is unreachable: it is not on paris, core/],
    [
      sites(loop, aHost),
      /^lab\.yaml:7:\d+: routers\.r1\.routes\.192\.168\.0\.0\/16: packets to 192\.168\.0\.0\/16 would loop: r1 → r2 → r1/,
    ],
    [
      `name: x\nswitches: { a: 10.0.0.0/8, b: 10.1.0.0/16 }\nhosts:\n${aHost}`,
      /switches\.b: 10\.1\.0\.0\/16 overlaps with switch a, 10\.0\.0\.0\/8/,
    ],
    [`name: x\nswitches: { a: 10.0.0.0 }\nhosts:\n${aHost}`, /^lab\.yaml:2:16: switches\.a: invalid CIDR/],
    [`name: x\nswitches: { a: { prefix: 10.0.0.0/8, mtu: 12 } }\nhosts:\n${aHost}`, /switches\.a\.mtu: .*68/],
    [`name: x\nswitches: { all: 10.0.0.0/8 }\nhosts:\n${aHost}`, /switches\.all: a switch cannot be named/],
    [`name: x\nswitches: { a-switch-in-paris: 10.0.0.0/8 }\nhosts:\n${aHost}`, /at most 15 characters/],
    [`name: x\nhosts:\n${aHost}`, /switches: a lab requires a switch/],
    [`${top}switches: { a: 10.0.0.0/8 }\nhosts:\n${aHost}`, /use either `switch` or `switches`/],
    [
      `${top}hosts: { a: { address: 172.16.0.1, daemon: [a], options: [b] } }`,
      /hosts\.a\.options: the options are already set/,
    ],
    [`${top}hosts: { a: { address: 172.16.0.1, daemon: maybe } }`, /hosts\.a\.daemon: must be true, false, or a list/],
    [
      `${top}hosts: { a: { address: 172.16.0.1, services: { b: "x {sate}" } } }`,
      /hosts\.a\.services\.b: \{sate\} is an unknown placeholder/,
    ],
  ];
  for (const [text, message] of cases) refuses(text, message);
});

test('errors contain file, line, column and path', () => {
  const cases: [string, RegExp][] = [
    ['name: [a', /^lab\.yaml:1:\d+: /],
    ['name: a\nname: b', /^lab\.yaml:2:\d+: .*unique/i],
    ['', /^lab\.yaml: .*expected object/],
    ['name: x\nswitch: 172.16.0.0/16', /^lab\.yaml:1:\d+: hosts: /],
    [
      'name: ../x\nswitch: 172.16.0.0/16\nhosts: { a: { address: 172.16.0.1 } }',
      /^lab\.yaml:1:\d+: name: must be at most 40 letters/,
    ],
    ['name: x\nswitch: 172.16.0.0\nhosts: { a: { address: 172.16.0.1 } }', /^lab\.yaml:2:\d+: switch: invalid CIDR/],
    [lab('  {}'), /a lab requires a host/],
    [lab('  a/b: { address: 172.16.2.101 }'), /^lab\.yaml:4:\d+: hosts\.a\/b: must be at most 40 letters, digits/],
    [lab('  a: { address: 172.16.2.101, color: red }'), /^lab\.yaml:4:\d+: hosts\.a\.color: unknown key/],
    [
      lab('  a: { address: 172.16.2.101 }\n  b: { address: 172.16.2.101/16 }'),
      /^lab\.yaml:5:\d+: .*already the address of a/,
    ],
    [
      lab('  a: { address: 172.17.2.101/16 }'),
      /^lab\.yaml:4:\d+: hosts\.a\.address: .*outside the switch, 172\.16\.0\.0/,
    ],
    [lab('  a: { address: 172.16.2.101/24 }'), /use 172\.16\.2\.101\/16/],
    [lab('  a: { address: 172.16.0.0/16 }'), /first or the last/],
    [lab('  a: { address: 172.16.255.255/16 }'), /first or the last/],
    [lab('  a: { address: nonsense }'), /invalid CIDR address: nonsense/],
    [lab('  a:\n    address: 172.16.2.101\n    bip: 192.168.11.1'), /^lab\.yaml:6:\d+: hosts\.a\.bip: invalid CIDR/],
    [lab('  a:\n    address: 172.16.2.101\n    bip: 172.16.9.1/24'), /^lab\.yaml:6:\d+: .*overlaps with the switch/],
    [
      'name: x\nswitch: 172.16.0.0/12\nhosts:\n  a: { address: 172.16.2.101 }',
      /^lab\.yaml:4:\d+: hosts\.a: Docker's default network 172\.17\.0\.0\/16 overlaps/,
    ],
  ];
  for (const [text, message] of cases) refuses(text, message);
});
