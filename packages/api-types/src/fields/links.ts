/** `Links`, a field of both HostConfig and endpoints. */
import { type Facts, list, text, zero } from './shape.ts';

export const linksWith = <const F extends Facts>(facts: F) => ({ Links: zero(list(text), facts) }) as const;
