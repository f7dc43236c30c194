/** The links of a container and those of its endpoint: one field of two objects. */
import { type Facts, list, text, zero } from './shape.ts';

export const linksWith = <const F extends Facts>(facts: F) => ({ Links: zero(list(text), facts) }) as const;
