/**
 * Compares the default profile with moby's (github.com/moby/profiles, seccomp/default.json at cd3bed8 of June 2026),
 * syscall by syscall, with conditions on capabilities, arguments and architectures. moby's text is not included: its
 * digests are. NETYARD_MOBY_PROFILE=…/default.json prints the differences to a newer one instead.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { SeccompProfile, SeccompProfileRule } from '@netyard/engine';
import type { OciSeccomp } from '../oci.ts';
import { planSeccomp } from './plan.ts';

const capabilities = [
  ...['BPF', 'DAC_READ_SEARCH', 'PERFMON', 'SYSLOG', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_CHROOT', 'SYS_MODULE', 'SYS_NICE'],
  ...['SYS_PACCT', 'SYS_PTRACE', 'SYS_RAWIO', 'SYS_TIME', 'SYS_TTY_CONFIG'],
].map((name) => `CAP_${name}`);

/** Each capability by itself, none, and all. */
const cases: readonly (readonly string[])[] = [[], ...capabilities.map((name) => [name]), capabilities];

/** In moby's profile only, omitted on purpose: a call of RISC-V, for which there is no Netyard. */
const leftOut = new Set(['riscv_hwprobe']);
/** In Netyard's profile only: calls of other architectures, whose names mean nothing where a table lacks them. */
const foreign: Readonly<Record<string, ReadonlySet<string>>> = {
  x64: new Set(['arm_fadvise64_64', 'arm_sync_file_range', 'breakpoint', 'cacheflush', 'set_tls', 'sync_file_range2']),
  arm64: new Set(['arch_prctl', 'modify_ldt']),
};

/** One line per syscall and condition, sorted. */
function linesOf(plan: OciSeccomp, architecture: string): string[] {
  const lines = plan.syscalls.flatMap((rule) =>
    rule.names
      .filter((name) => !leftOut.has(name) && !foreign[architecture]?.has(name))
      .map((name) => {
        const args = (rule.args ?? []).map(({ index, value, valueTwo = 0, op }) => [index, value, valueTwo, op].join());
        return [name, rule.action, rule.errnoRet ?? '', ...args].join(' ').trim();
      }),
  );
  return [...new Set(lines)].sort();
}

/** Of a kernel that meets every condition of moby's profile. */
const kernel = '6.12.0';

type MobyRule = Partial<SeccompProfileRule> & Pick<SeccompProfileRule, 'names' | 'action'>;

/** What moby's file leaves out. */
function profileOf(text: string): SeccompProfile {
  const raw = JSON.parse(text) as Omit<SeccompProfile, 'syscalls'> & { syscalls: MobyRule[] };
  const condition = { caps: [], arches: [], minKernel: '' };
  const syscalls = raw.syscalls.map(({ args, includes, excludes, ...rule }) => ({
    ...rule,
    args: args ?? [],
    includes: { ...condition, ...includes },
    excludes: { ...condition, ...excludes },
  }));
  return { ...raw, architectures: [], flags: [], listenerPath: '', listenerMetadata: '', syscalls };
}

const ours = (caps: readonly string[], architecture: string): string[] =>
  linesOf(planSeccomp(undefined, caps, { architecture, kernel }), architecture);

const digest = (plans: (caps: readonly string[]) => string[]): string =>
  createHash('sha256')
    .update(cases.map((caps) => [caps.join('+'), ...plans(caps)].join('\n')).join('\n\n'))
    .digest('hex');

const file = process.env['NETYARD_MOBY_PROFILE'];
/** Of moby's profile, computed from its file. */
const recorded: Readonly<Record<string, string>> = {
  x64: '13c8ac4a5efa5a0dcab053c859bf5a099c0f30239488d5c8239d461aea39f5aa',
  arm64: '832e5bbd2455204a14311d6b0bd5ed780eabf1d5bca9088820a1e2cb362b9b57',
};

for (const architecture of ['x64', 'arm64']) {
  test(`on ${architecture} the default profile allows what moby's allows`, () => {
    const mine = digest((caps) => ours(caps, architecture));
    if (file === undefined) {
      assert.equal(mine, recorded[architecture]);
      return;
    }
    const profile = profileOf(readFileSync(file, 'utf8'));
    const theirs = (caps: readonly string[]): string[] =>
      linesOf(planSeccomp(profile, caps, { architecture, kernel }), architecture);
    for (const caps of cases) assert.deepEqual(ours(caps, architecture), theirs(caps), caps.join('+'));
    assert.equal(mine, digest(theirs));
    console.log(architecture, mine);
  });
}

test('any container can read clocks, CAP_SYS_TIME sets them; any can create file handles, one capability opens them', () => {
  const allowed = (caps: readonly string[]): ReadonlySet<string> =>
    new Set(planSeccomp(undefined, caps, { architecture: 'x64', kernel }).syscalls.flatMap(({ names }) => names));
  const [none, time, search] = [[], ['CAP_SYS_TIME'], ['CAP_DAC_READ_SEARCH']].map(allowed);
  // adjtimex(2): without a change it only reads; otherwise the kernel requires CAP_SYS_TIME
  for (const name of ['adjtimex', 'clock_adjtime', 'clock_adjtime64']) assert.ok(none?.has(name), name);
  for (const name of ['clock_settime', 'clock_settime64', 'settimeofday', 'stime']) {
    assert.ok(!none?.has(name), name);
    assert.ok(time?.has(name), name);
  }
  // open_by_handle_at(2) can leave a container; the handle by itself opens nothing
  assert.ok(none?.has('name_to_handle_at'));
  assert.ok(!none?.has('open_by_handle_at'));
  assert.ok(search?.has('open_by_handle_at'));
});
