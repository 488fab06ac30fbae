// Usage: node scripts/coverage.mjs. Writes docs/coverage.md: Mesos' interfaces, which are supported, and why others are not.
import { runTypeScript } from './lib.mjs';

await runTypeScript('scripts/coverage/write.ts', 'coverage');
