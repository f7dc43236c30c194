/** Describes this machine for the tables of docs/performance.md. */
import { cpus, release, totalmem } from 'node:os';

export function machineFact(): string {
  const [processor] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  return `Measured on ${date}: ${cpus().length} × ${processor?.model.trim()}, ${memory} GiB, Linux ${release()}, Node ${process.version}.`;
}
