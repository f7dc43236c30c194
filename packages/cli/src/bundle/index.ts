/** Entry point of the file that every program of the bundle loads first. */
import { translateStacks } from './source-lines.ts';

export { isFresh, restartUnlessFresh, runSources } from './freshness.ts';

translateStacks(__dirname);
