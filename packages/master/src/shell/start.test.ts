import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '@meseta/platform';
import { createCoreLog } from '@meseta/platform/core-log';
import type { MasterInput, RequestId } from '../core/io.js';
import { peerKindOf } from './start.js';

test("LOG-2: calls of a framework do not suppress the log lines of an operator's calls", () => {
  const lines: string[] = [];
  const log = createCoreLog<MasterInput>(
    createLogger({ component: 'master', write: (line) => lines.push(line), wallMs: () => 0 }),
    peerKindOf,
  );
  const call = { type: 'TEARDOWN', framework_id: { value: 'f' } } as const;
  for (let sent = 0; sent < 1000; sent++) {
    log.beginInput({ kind: 'schedulerCall', call } as MasterInput);
    log.write('info', 'torn down by itself');
  }
  log.beginInput({ kind: 'operatorCall', request: 'call-1' as RequestId, principal: undefined, call });
  log.write('info', 'torn down by an operator');
  assert.match(lines.at(-1) ?? '', /by an operator/);
});
