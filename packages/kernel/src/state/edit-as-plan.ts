/** `Kernel.editFile` of kernels that write no files: the file is read, and its new content is an object of a plan. */
import type { FileEdit } from '../contract.ts';
import type { KernelPlan } from '../desired.ts';
import { readStartIfExists } from '../system/read-start.ts';

export async function editAsPlan(
  { path, limit, edit }: { path: string; limit: number; edit: (text: string) => string },
  apply: (plan: KernelPlan) => Promise<unknown>,
): Promise<FileEdit> {
  const found = readStartIfExists(path, limit);
  if (!found?.isComplete) return found ? 'too long' : 'missing';
  const before = found.data.toString('utf8');
  const content = edit(before);
  if (content !== before) await apply({ owner: path, objects: [{ kind: 'file', path, content }] });
  return 'done';
}
