import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WatchSchedule } from './schedule.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `n${index}`);

/** A schedule with two sockets, and namespaces whose digests a test changes. */
class Model {
  readonly schedule: WatchSchedule;
  readonly digests = new Map<string, number | undefined>();
  readonly subscribed = new Set<string>();
  readonly reported: string[] = [];

  constructor(count: number, { mostSubscribed = 2, mostSamples = 100 } = {}) {
    this.schedule = new WatchSchedule({ mostSubscribed, mostSamples });
    for (const name of names(count)) this.add(name);
  }

  add(name: string): void {
    this.digests.set(name, 1);
    this.schedule.add(name);
    this.subscribed.add(name);
  }

  /** One batch; `meanwhile` runs between the request and the answer. */
  sample(meanwhile: () => void = () => undefined): string[] {
    const batch = this.schedule.nextBatch();
    const digests = batch.map((name) => this.digests.get(name));
    meanwhile();
    batch.forEach((name, index) => {
      const result = this.schedule.noteSample(name, digests[index]);
      if (result === 'unsubscribed') this.subscribed.delete(name);
      if (result !== 'changed') return;
      this.subscribed.add(name);
      this.reported.push(name);
    });
    return batch;
  }
}

test('as many namespaces as may have a socket cause no samples', () => {
  const { schedule } = new Model(2);
  assert.ok(schedule.isIdle);
  assert.deepEqual(schedule.nextBatch(), []);
});

test('those that have been quiet for longest lose their socket, once they were sampled', () => {
  const model = new Model(5);
  model.schedule.noteChange('n0');
  assert.ok(!model.schedule.isIdle);
  assert.deepEqual(model.sample(), ['n1', 'n2', 'n3']);
  assert.deepEqual([...model.subscribed], ['n0', 'n4']);
  assert.deepEqual(model.reported, []);
});

test('a namespace that changes while it is sampled for the first time keeps its socket', () => {
  const model = new Model(3);
  model.sample(() => model.schedule.noteChange('n0'));
  assert.ok(model.subscribed.has('n0'));
  assert.deepEqual(model.sample(), ['n1']);
  assert.deepEqual([...model.subscribed], ['n0', 'n2']);
});

test('a namespace that cannot be sampled keeps its socket', () => {
  const model = new Model(3);
  model.digests.set('n0', undefined);
  model.sample();
  assert.equal(model.subscribed.size, 3);
  model.digests.set('n0', 7);
  model.sample();
  assert.deepEqual([...model.subscribed], ['n1', 'n2']);
});

test('a change without a socket is reported once, and gives the namespace the socket of the quietest', () => {
  const model = new Model(4);
  model.sample();
  model.digests.set('n1', 2);
  model.sample();
  assert.deepEqual(model.reported, ['n1']);
  assert.deepEqual([...model.subscribed].toSorted(), ['n1', 'n2', 'n3']);
  model.sample();
  assert.deepEqual([...model.subscribed].toSorted(), ['n1', 'n3']);
  for (let round = 0; round < 3; round += 1) model.sample();
  assert.deepEqual(model.reported, ['n1']);
});

test('a sample that fails is no change', () => {
  const model = new Model(3);
  model.sample();
  model.digests.set('n0', undefined);
  model.sample();
  model.digests.set('n0', 1);
  model.sample();
  assert.deepEqual(model.reported, []);
});

test('all are sampled in turn, with a limited number at a time', () => {
  const model = new Model(12, { mostSamples: 4 });
  const first = [model.sample(), model.sample(), model.sample()];
  assert.deepEqual(
    first.map((batch) => batch.length),
    [4, 4, 4],
  );
  assert.equal(model.subscribed.size, 2);
  const rounds = Array.from({ length: 10 }, () => model.sample()).flat();
  for (const name of names(10)) assert.equal(rounds.filter((sampled) => sampled === name).length, 4, name);
});

test('a held namespace has a socket, and what changed since its last sample is reported', () => {
  const model = new Model(4);
  model.sample();
  model.digests.set('n0', 2);
  assert.ok(model.schedule.hold('n0', {}));
  assert.equal(model.sample()[0], 'n0');
  assert.deepEqual(model.reported, ['n0']);
  assert.ok(model.schedule.hold('n1', {}));
  model.sample();
  assert.deepEqual(model.reported, ['n0']);
});

test('held namespaces keep their socket until the last holder releases it', () => {
  const model = new Model(4);
  const [first, second] = [{}, {}];
  for (const name of ['n0', 'n1', 'n2']) model.schedule.hold(name, first);
  model.schedule.hold('n0', second);
  model.sample();
  assert.deepEqual([...model.subscribed], ['n0', 'n1', 'n2']);
  for (const name of ['n0', 'n0', 'n2']) model.schedule.release(name, first);
  model.sample();
  assert.deepEqual([...model.subscribed], ['n0', 'n1']);
  model.schedule.release('n0', second);
  model.add('n9');
  model.sample();
  assert.deepEqual([...model.subscribed], ['n1', 'n9']);
  assert.ok(!model.schedule.hold('unknown', {}));
});

test('a namespace whose socket cannot be opened is sampled, and reported once for each change', () => {
  const model = new Model(3);
  model.sample();
  model.digests.set('n0', 2);
  model.schedule.nextBatch();
  assert.equal(model.schedule.noteSample('n0', 2), 'changed');
  model.schedule.unsubscribe('n0', 2);
  model.schedule.nextBatch();
  assert.equal(model.schedule.noteSample('n0', 2), 'none');
  model.schedule.hold('n0', {});
  model.schedule.unsubscribe('n0');
  assert.equal(model.schedule.noteSample('n0', 2), 'none');
  assert.equal(model.schedule.noteSample('n0', 3), 'changed');
});

test('the answer for a namespace that was removed, or is another one now, has no effect', () => {
  const model = new Model(4);
  model.sample(() => {
    model.schedule.remove('n0');
    model.schedule.remove('n1');
    model.add('n1');
  });
  assert.ok(model.subscribed.has('n1'));
  assert.ok(!model.schedule.has('n0'));
  assert.ok(model.schedule.has('n1'));
  assert.deepEqual(model.reported, []);
});
