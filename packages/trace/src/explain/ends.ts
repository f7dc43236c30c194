/** Causes at the ends of the path, known without a probe: stopped and paused containers, stale names. Pure. */
import { withoutLength } from '../route-lookup.ts';
import { type CauseFinder, containerWith, engineCommand, notReached, targetContainer } from './case.ts';

export const senderNotRunning: CauseFinder = ({ from: { container } }) => {
  if (container === undefined || container.namespaceId !== undefined) return undefined;
  return notReached('sender-not-running', `${container.name} is ${container.state}, so it can send nothing.`, {
    fix: engineCommand(container, 'start', container.name),
  });
};

export const targetNotRunning: CauseFinder = (trace) => {
  const container = trace.to.container ?? targetContainer(trace);
  if (container === undefined) return undefined;
  const { name, state, exitCode, finishedAt } = container;
  if (container.paused || state === 'paused') {
    return notReached(
      'target-paused',
      `${name} is paused: the kernel accepts connections for it, but no process answers.`,
      {
        fix: engineCommand(container, 'unpause', name),
      },
    );
  }
  if (state === 'running' || state === 'unknown') return undefined;
  const code = exitCode === undefined ? '' : ` with exit code ${exitCode}`;
  const ago = finishedAt === undefined ? '' : ` ${agoText(trace.topology.observedAt, finishedAt)}`;
  return notReached(
    'target-not-running',
    `${name} has ${state === 'created' ? 'not been started' : `ended${code}${ago}`}.`,
    {
      fix: engineCommand(container, 'start', name),
    },
  );
};

/** `3 min ago`; '' for times that cannot be compared. */
function agoText(now: string, then: string): string {
  const seconds = Math.round((Date.parse(now) - Date.parse(then)) / 1000);
  if (!Number.isFinite(seconds) || seconds < 0) return '';
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

/** The sender resolves the target's name to an address that the target no longer has. */
export const staleName: CauseFinder = (trace) => {
  const { name, to, from } = trace;
  const container = to.container;
  const [resolved] = name?.addresses ?? [];
  if (name === undefined || container === undefined || resolved === undefined) return undefined;
  const own = container.attachments.flatMap(({ addresses }) => addresses).map(withoutLength);
  if (own.length === 0 || name.addresses.some((address) => own.includes(address))) return undefined;
  const owner = containerWith(trace, resolved);
  const of = owner === undefined ? '' : ` (that is ${owner.name})`;
  const where = name.source === 'hosts file' ? `the hosts file of ${from.text}` : `the resolver of ${from.text}`;
  return notReached(
    'stale-name',
    `${from.text} resolves ${name.name} to ${resolved}${of}, but ${container.name} is ${own[0]}: ${where} is out of date.`,
    { fix: from.container ? engineCommand(from.container, 'restart', from.container.name) : `correct ${where}` },
  );
};
