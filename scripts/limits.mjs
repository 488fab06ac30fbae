// Usage: node scripts/limits.mjs. Writes docs/limits.md: the limits on input from outside.
import { runTypeScript } from './lib.mjs';

await runTypeScript('scripts/limits/write.ts', 'limits');
