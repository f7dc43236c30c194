/** Fails on calls that a test does not expect. */

/** Throws; for methods that a test does not expect to be called. */
export const unexpected = (what: string) => (): never => {
  throw new Error(`unexpected call of ${what}`);
};
