import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cookieValues, type OpenedSession, Sessions } from './sessions.ts';

const second = 1_000_000_000n;

function open(): { sessions: Sessions; advance: (seconds: bigint) => void; session: OpenedSession } {
  let now = 0n;
  const sessions = new Sessions({ now: () => now });
  const session = sessions.exchange(sessions.issueToken().token);
  assert.ok(session);
  return {
    sessions,
    session,
    advance: (seconds) => {
      now += seconds * second;
    },
  };
}

test('a token opens one session: a replay, an expired and an unknown one open none', () => {
  const { sessions, advance } = open();
  const { token, expires } = sessions.issueToken();
  assert.equal(expires, 300n * second);
  assert.ok(sessions.exchange(token));
  assert.equal(sessions.exchange(token), undefined);
  const late = sessions.issueToken().token;
  advance(300n);
  assert.equal(sessions.exchange(late), undefined);
  assert.equal(sessions.exchange(''), undefined);
});

test('a session needs its cookie and its key, and ends after twelve hours', () => {
  const { sessions, session, advance } = open();
  assert.equal(sessions.isOpen(session), true);
  assert.equal(sessions.isOpen({ cookie: session.cookie, key: session.cookie }), false);
  assert.equal(sessions.isOpen({ cookie: session.key, key: session.key }), false);
  assert.equal(sessions.isOpen({ cookie: session.cookie, key: '' }), false);
  advance(12n * 3600n);
  assert.equal(sessions.isOpen(session), false);
});

test('tokens and sessions are bounded: the oldest goes', () => {
  const { sessions, session } = open();
  const first = sessions.issueToken().token;
  for (let count = 0; count < 16; count += 1) sessions.issueToken();
  assert.equal(sessions.exchange(first), undefined);
  for (let count = 0; count < 64; count += 1) sessions.exchange(sessions.issueToken().token);
  assert.equal(sessions.isOpen(session), false);
});

test('cookies are found by their exact name', () => {
  assert.deepEqual(cookieValues(['a=1; netyard-7420=x=y', 'netyard-7420=2'], 'netyard-7420'), ['x=y', '2']);
  assert.deepEqual(cookieValues(['xnetyard-7420=1; netyard-74201=2'], 'netyard-7420'), []);
});
