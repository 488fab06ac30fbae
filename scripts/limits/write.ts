import { writeFileSync } from 'node:fs';
import { LIMITS_FILE, limitsDocument } from './document.js';

writeFileSync(LIMITS_FILE, limitsDocument());
