/** rtnetlink on a real kernel, verified with ip(8) and bridge(8). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetns, deleteNetns, hasErrno, openInNetns } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import * as addresses from '../src/netlink/rtnl/address.ts';
import * as links from '../src/netlink/rtnl/link.ts';
import { listLinkStatistics } from '../src/netlink/rtnl/link-statistics.ts';
import * as neighbours from '../src/netlink/rtnl/neighbour.ts';
import * as routes from '../src/netlink/rtnl/route.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../src/netlink/socket.ts';
import { closeFile, openFile } from '../src/system/calls.ts';

const host = inFreshHost(import.meta.url);

function withSockets(work: (here: NetlinkSocket, there: NetlinkSocket, netnsFd: number) => void): void {
  createNetns('/run/netns/there');
  const here = NetlinkSocket.open(NETLINK_ROUTE);
  const there = NetlinkSocket.open(NETLINK_ROUTE, { ns: '/run/netns/there' });
  const fd = openFile('/run/netns/there');
  try {
    work(here, there, fd);
  } finally {
    for (const link of links.listLinks(here)) {
      if (link.name !== 'lo' && links.findLink(here, link.name)) links.deleteLink(here, link.name);
    }
    here.close();
    there.close();
    closeFile(fd);
    deleteNetns('/run/netns/there');
  }
}

test('a bridge has the requested name, MAC, MTU, alias and state', host, () => {
  withSockets((here) => {
    links.createBridge(here, {
      name: 'br0',
      mac: '02:42:00:00:00:01',
      mtu: 1400,
      up: true,
      alias: 'net web',
      stp: false,
    });
    const shown = sh('ip -d link show br0');
    for (const text of ['br0', 'mtu 1400', 'UP', 'link/ether 02:42:00:00:00:01', 'alias net web', 'stp_state 0'])
      assert.ok(shown.includes(text), `${text} in ${shown}`);
    assert.equal(links.findLink(here, 'br0')?.kind, 'bridge');
    links.deleteLink(here, 'br0');
    assert.equal(links.findLink(here, 'br0'), undefined);
    assert.throws(
      () => links.deleteLink(here, 'br0'),
      (error) => hasErrno(error, 'ENODEV'),
    );
  });
});

test(
  'a veth is created with its master, port flags, both ends up, and the peer’s name and MAC in the other namespace',
  host,
  () => {
    withSockets((here, there, netnsFd) => {
      links.createBridge(here, { name: 'br0', up: true });
      const peer = { name: 'eth0', mac: '02:42:ac:11:00:02', netnsFd };
      const master = links.linkIndex(here, 'br0');
      links.createVeth(here, {
        name: 'ny1',
        master,
        mtu: 1450,
        up: true,
        alias: 'container c',
        hairpin: true,
        isolated: true,
        peer,
      });
      links.changeLink(there, 'eth0', { up: true });
      assert.match(sh('ip link show ny1'), /ny1@if\d+: <[A-Z,_]*UP,LOWER_UP> mtu 1450 .*master br0/);
      assert.match(sh('bridge -d link show dev ny1'), /hairpin on.*isolated on/);
      assert.match(sh('ip -n there link show eth0'), /eth0@if\d+: <[A-Z,_]*UP,LOWER_UP>[\s\S]*02:42:ac:11:00:02/);
      const [near, far] = [links.findLink(here, 'ny1'), links.findLink(there, 'eth0')];
      assert.equal(near?.peerIndex, far?.index);
      assert.equal(far?.peerIndex, near?.index);
      assert.deepEqual([near?.hairpin, near?.isolated, near?.alias], [true, true, 'container c']);
      assert.equal(near?.masterIndex, master);
      links.deleteLink(here, 'ny1');
      assert.equal(links.findLink(there, 'eth0'), undefined);
    });
  },
);

test('ip(8) shows renamed and moved links, addresses, routes and neighbours', host, () => {
  withSockets((here, there, netnsFd) => {
    links.createVeth(here, { name: 'a', peer: { name: 'b' } });
    links.changeLink(here, 'b', { netnsFd });
    links.changeLink(there, 'b', { name: 'eth9', mtu: 1300 });
    links.changeLink(there, 'eth9', { up: true });
    links.changeLink(here, 'a', { up: true });
    const linkIndex = links.linkIndex(there, 'eth9');
    addresses.addAddress(there, { linkIndex, prefix: '10.1.1.2/24', broadcast: '10.1.1.255' });
    addresses.addAddress(there, { linkIndex, prefix: 'fd00::2/64' });
    assert.match(sh('ip -n there -4 address show eth9'), /inet 10.1.1.2\/24 brd 10.1.1.255 scope global eth9/);
    assert.match(sh('ip -n there -6 address show eth9'), /inet6 fd00::2\/64 scope global nodad/);
    const found = addresses.listAddresses(there, linkIndex).map((address) => address.prefix);
    assert.ok(found.includes('10.1.1.2/24') && found.includes('fd00::2/64'));
    assert.ok(!found.includes('127.0.0.1/8'));
    routes.addRoute(there, { to: 'default', via: '10.1.1.1' });
    routes.addRoute(there, { to: '10.9.0.0/16', via: '10.1.1.9', linkIndex, metric: 7, table: 1000 });
    routes.addRoute(there, { to: 'fd01::/64', via: 'fd00::1' });
    routes.addRoute(there, { to: '10.8.0.0/24', via: 'fd00::1', linkIndex });
    assert.match(sh('ip -n there route'), /default via 10.1.1.1 dev eth9 \n/);
    assert.match(sh('ip -n there route'), /10.8.0.0\/24 via inet6 fd00::1 dev eth9/);
    assert.match(sh('ip -n there route show table 1000'), /10.9.0.0\/16 via 10.1.1.9 dev eth9 metric 7/);
    assert.match(sh('ip -n there -6 route'), /fd01::\/64 via fd00::1 dev eth9/);
    assert.deepEqual(
      routes.listRoutes(there, 4, 1000).map((route) => [route.to, route.via, route.metric]),
      [['10.9.0.0/16', '10.1.1.9', 7]],
    );
    assert.deepEqual(routes.listRoutes(there, 4, 77), []);
    assert.throws(
      () => routes.addRoute(there, { to: 'default', via: '10.1.1.1' }),
      (error) => hasErrno(error, 'EEXIST'),
    );
    routes.replaceRoute(there, { to: 'default', via: '10.1.1.3' });
    assert.match(sh('ip -n there route'), /default via 10.1.1.3/);
    assert.throws(
      () => routes.deleteRoute(there, { to: 'default', protocol: 78 }),
      (error) => hasErrno(error, 'ESRCH'),
    );
    routes.deleteRoute(there, { to: 'default' });
    routes.addRoute(there, { to: 'default', via: '10.1.1.1', protocol: 78 });
    assert.match(sh('ip -n there route'), /default via 10.1.1.1 dev eth9 proto 78/);
    routes.deleteRoute(there, { to: 'default', protocol: 78 });
    assert.doesNotMatch(sh('ip -n there route'), /default/);
    neighbours.replaceNeighbour(there, { linkIndex, address: '10.1.1.7', mac: '02:00:00:00:00:07' });
    assert.match(sh('ip -n there neighbour'), /10.1.1.7 dev eth9 lladdr 02:00:00:00:00:07 PERMANENT/);
    assert.deepEqual(neighbours.findNeighbour(there, { linkIndex, address: '10.1.1.7' }), {
      ...{ linkIndex, address: '10.1.1.7' },
      mac: '02:00:00:00:00:07',
      permanent: true,
    });
    neighbours.deleteNeighbour(there, { linkIndex, address: '10.1.1.7' });
    assert.equal(neighbours.findNeighbour(there, { linkIndex, address: '10.1.1.7' }), undefined);
    addresses.deleteAddress(there, { linkIndex, prefix: '10.1.1.2/24' });
    assert.doesNotMatch(sh('ip -n there address'), /10\.1\.1\.2/);
  });
});

test('an error has errno, the equivalent command, the object and the kernel’s own message', host, () => {
  withSockets((here) => {
    const linkIndex = links.linkIndex(here, 'lo');
    assert.throws(
      () => routes.addRoute(here, { to: '10.9.0.0/16', via: '10.77.0.1', linkIndex }),
      /^KernelError: ip route add 10.9.0.0\/16: ENETUNREACH: Nexthop has invalid gateway$/,
    );
    assert.throws(() => links.createVeth(here, { name: 'lo', peer: { name: 'x' } }), /ip link add lo: EEXIST/);
    assert.throws(() => links.createVeth(here, { name: 'a/b', peer: { name: 'x' } }), /invalid link name/);
  });
});

test('a veth whose description the kernel rejects is deleted, and the error is that of the description', host, () => {
  withSockets((here) => {
    const veth = { name: 'a', up: true, isolated: true, peer: { name: 'b' } }; // isolated: only a port of a bridge can be
    assert.throws(() => links.createVeth(here, veth), /ip link set a: E/);
    assert.equal(links.findLink(here, 'a'), undefined);
    links.createVeth(here, { name: 'a', up: true, alias: 'described', peer: { name: 'b' } });
    assert.deepEqual([links.findLink(here, 'a')?.alias, links.findLink(here, 'a')?.up], ['described', true]);
  });
});

test('a dump of 300 links and its statistics is complete', host, () => {
  withSockets((_here, there) => {
    for (let number = 0; number < 150; number += 1) {
      links.createVeth(there, { name: `a${number}`, peer: { name: `b${number}` } });
    }
    const names = links.listLinks(there).map((link) => link.name);
    assert.equal(names.length, 301);
    assert.equal(new Set(names).size, 301);
    assert.equal(links.linkStatistics(there, 'a7').rxBytes, 0n);
    assert.equal(listLinkStatistics(there).size, 301);
  });
});

test('link statistics count traffic', host, () => {
  withSockets((here, there, netnsFd) => {
    links.createVeth(here, { name: 'a', up: true, peer: { name: 'b', netnsFd } });
    links.changeLink(there, 'b', { up: true });
    addresses.addAddress(here, { linkIndex: links.linkIndex(here, 'a'), prefix: '10.1.1.1/24' });
    addresses.addAddress(there, { linkIndex: links.linkIndex(there, 'b'), prefix: '10.1.1.2/24' });
    sh('ping -c 1 -w 60 10.1.1.2');
    assert.ok(links.linkStatistics(here, 'a').txPackets >= 1n);
    assert.ok(links.linkStatistics(there, 'b').rxBytes >= 84n);
    const all = listLinkStatistics(there).get(links.linkIndex(there, 'b'));
    assert.ok(all && all.rxBytes >= 84n && all.rxPackets >= 1n);
  });
});

test('a socket stays in the namespace in which it was opened, also after that is unpinned', host, () => {
  createNetns('/run/netns/short');
  const socket = NetlinkSocket.open(NETLINK_ROUTE, { ns: '/run/netns/short' });
  deleteNetns('/run/netns/short');
  assert.deepEqual(
    links.listLinks(socket).map((link) => link.name),
    ['lo'],
  );
  socket.close();
  assert.throws(
    () => openInNetns('/run/netns/short', () => 1),
    (error) => hasErrno(error, 'ENOENT'),
  );
});
