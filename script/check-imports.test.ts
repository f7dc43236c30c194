import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkImport, parseImports } from './check-imports.ts';

const problemOf = (file: string, line: string): string | undefined => {
  const [found] = parseImports(line);
  assert.ok(found, `no import found in ${line}`);
  return checkImport(file, found);
};

test('every kind of import is found, with its line', () => {
  const source = [
    "/* import 'commented'; */",
    "import type { A } from '@netyard/core';",
    'import {',
    '  one,',
    '  type Two,',
    "} from './two.ts';",
    "export * from './three.ts';",
    "import 'four';",
    "const five = await import('@netyard/lab');",
    "// import six from 'six';",
  ].join('\n');
  assert.deepEqual(parseImports(source), [
    { line: 2, module: '@netyard/core', kind: 'type' },
    { line: 3, module: './two.ts', kind: 'value' },
    { line: 7, module: './three.ts', kind: 'value' },
    { line: 8, module: 'four', kind: 'value' },
    { line: 9, module: '@netyard/lab', kind: 'lazy' },
  ]);
});

test('imports that the table allows are accepted', () => {
  const allowed: [string, string][] = [
    ['packages/network/src/plan.ts', "import { parseIp } from '@netyard/core';"],
    ['packages/runtime/src/spec.ts', "import type { Runtime } from '@netyard/engine';"],
    ['packages/cli/src/commands/lab.ts', "const lab = await import('@netyard/lab');"],
    ['packages/kernel/src/system/ffi/libc.ts', "import koffi from 'koffi';"],
    ['packages/kernel/test/netns.kernel.test.ts', "import { inFreshHost } from '@netyard/testkit';"],
    ['packages/kernel/test/netns.kernel.test.ts', "import { createNetns } from '@netyard/kernel';"],
    ['packages/kernel/test/rtnl.kernel.test.ts', "import { encode } from '../src/netlink/message.ts';"],
  ];
  for (const [file, line] of allowed) assert.equal(problemOf(file, line), undefined, `${file}: ${line}`);
});

test('other imports are rejected, with what is allowed', () => {
  const rejected: [string, string, RegExp][] = [
    ['packages/network/src/a.ts', "import { x } from '@netyard/engine';", /Allowed for network: core, kernel, peers\./],
    ['packages/core/src/a.ts', "import { x } from '@netyard/kernel';", /no other package/],
    ['packages/runtime/src/a.ts', "import { x } from '@netyard/engine';", /types of engine/],
    ['packages/cli/src/a.ts', "import { x } from '@netyard/lab';", /lazily/],
    ['packages/network/src/a.ts', "import { x } from '@netyard/kernel/src/netns.ts';", /not an entry point/],
    ['packages/network/src/a.ts', "import { x } from '../../kernel/src/netns.ts';", /in another package/],
    ['packages/network/src/a.ts', "import { x } from './b';", /extension/],
    ['packages/runtime/src/a.ts', "import koffi from 'koffi';", /only below/],
    ['packages/engine/src/a.ts', "import http from 'node:http';", /must not import/],
    ['packages/network/src/bridge/plan.ts', "import { readFileSync } from 'node:fs';", /a name of pure code/],
    ['packages/docker-api/src/translate/container.ts', "import net from 'node:net';", /a name of pure code/],
    ['packages/new/src/a.ts', "import net from 'node:net';", /not in script/],
  ];
  for (const [file, line, message] of rejected) assert.match(problemOf(file, line) ?? '', message, `${file}: ${line}`);
});

test('a file of the kernel package may import its own layer, lower ones and shared files', () => {
  const allowed: [string, string][] = [
    ['system/calls.ts', "import { libc } from './ffi/libc.ts';"],
    ['system/port.ts', "import type { PortReservation } from '../contract.ts';"],
    ['netlink/nft/chain.ts', "import type { NftFamily } from '../../desired.ts';"],
    ['netlink/rtnl/link.ts', "import { errnoOf } from '../../system/ffi/errno.ts';"],
    ['state/apply.ts', "import { Session } from '../netlink/session.ts';"],
    ['contract.ts', "import type { KernelPlan } from './desired.ts';"],
    ['kernel.ts', "import { applyPlan } from './state/apply.ts';"],
    ['index.ts', "export { openKernel } from './kernel.ts';"],
    ['system/calls.test.ts', "import { applyPlan } from '../state/apply.ts';"],
  ];
  for (const [file, line] of allowed) assert.equal(problemOf(`packages/kernel/src/${file}`, line), undefined, file);

  const rejected: [string, string, RegExp][] = [
    ['system/port.ts', "import { Session } from '../netlink/session.ts';", /port\.ts is below netlink\/session\.ts/],
    ['netlink/nft/chain.ts', "import type { Handler } from '../../state/objects/handler.ts';", /is below state/],
    ['state/apply.ts', "import { openKernel } from '../kernel.ts';", /is below kernel\.ts/],
    ['desired.ts', "import type { Session } from './netlink/session.ts';", /desired\.ts is below netlink/],
    ['misc/a.ts', "import { libc } from '../system/ffi/libc.ts';", /misc is no layer/],
    ['kernel.ts', "import { x } from './misc/a.ts';", /misc is no layer/],
  ];
  for (const [file, line, expected] of rejected) {
    assert.match(problemOf(`packages/kernel/src/${file}`, line) ?? 'allowed', expected, `${file}: ${line}`);
  }
});
