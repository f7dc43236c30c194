/** The stdin of an attached client, watched for the detach keys. */
import { Writable } from 'node:stream';
import type { DetachWatch } from './detach-keys.ts';

/** Passes on all input except for the detach keys. */
export function watchedStdin(target: Writable, watch: DetachWatch, leave: () => void): Writable {
  let left = false;
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (left) return done();
      const { pass, detached } = watch.push(chunk);
      left = detached;
      if (detached) leave();
      if (pass.length === 0) return done();
      target.write(pass, () => done());
    },
    final(done) {
      if (left) return done();
      target.end(() => done());
    },
  });
}
