import { writeFileSync } from 'node:fs';
import { COVERAGE_FILE, coverageDocument } from './document.js';

writeFileSync(COVERAGE_FILE, coverageDocument());
