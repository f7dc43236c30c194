/** Threads that code under test starts. */

/** @returns how many worker threads were started during the work, by this process */
export async function countThreads(work: () => Promise<void>): Promise<number> {
  let started = 0;
  const count = (): void => {
    started += 1;
  };
  process.on('worker', count);
  try {
    await work();
  } finally {
    process.off('worker', count);
  }
  return started;
}
