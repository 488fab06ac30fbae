import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asRoot, newDirectory, run } from './testing/isolation.js';

test(
  'PID-NAMESPACES-3: root without capabilities does not reach the file system of the first process of a pid namespace',
  asRoot,
  async () => {
    const path = newDirectory();
    const capabilities = { effective: [], bounding: [] };
    const script =
      'for each in root/ cwd/ exe fd/0; do readlink -e /proc/1/$each > /dev/null && echo $each; done; echo end';
    const seen = await run(path, script, { namespaces: ['mount', 'pid'], capabilities });
    assert.equal(seen, 'end\n');
  },
);
