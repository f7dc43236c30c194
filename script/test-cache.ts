/**
 * Loaded into each test file by script/test: Node caches the compiled code of all that the file imports, and the next file
 * starts with half of the processor time. Only this process does so: commands and daemons that a test starts have the cache
 * that bin/netyard selects.
 */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/tests'));
