/** `explain` of containers and networks of other engines, and of namespaces, from what is observed. */
import type { Explanation } from '@netyard/topology';
import type { Context } from '../program/context.ts';
import { requireLocal, surveyOptions, withoutAnswered } from './local.ts';

/** `error`: the daemon's answer, thrown when nothing on this host has the name, either. */
export async function explainOther(context: Context, ref: string, error: unknown): Promise<Explanation> {
  requireLocal(context, `netyard explain ${ref}`, error);
  const { explainNamed, observeHost } = await import('@netyard/topology');
  const explanation = explainNamed(withoutAnswered(await observeHost(surveyOptions(context)), error), ref);
  if (explanation === undefined) throw error;
  return explanation;
}
