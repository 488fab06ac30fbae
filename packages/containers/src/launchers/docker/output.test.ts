import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { type LocalResponse, ok } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { openOutput, START } from './output.js';

const sandbox = mkdtempSync(`${tmpdir()}/meseta-output-`);
after(() => rmSync(sandbox, { recursive: true }));

/** A message as the engine frames it (the API's "Attach to a container", stream format). */
function frame(stream: 1 | 2, text: string): Buffer {
  const message = Buffer.from(`2026-11-30T12:00:00.${stream}Z ${text}`);
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(message.length, 4);
  return Buffer.concat([header, message]);
}

function responseOf(parts: readonly Uint8Array[]): LocalResponse {
  const rest = [...parts];
  return { status: 200, next: async () => ok(rest.shift()), close: () => {} };
}

test('messages are written to the file of their stream, however the connection cuts them', async () => {
  const bytes = Buffer.concat([
    frame(1, 'one\n'),
    frame(2, 'error\n'),
    frame(1, `${'x'.repeat(5000)}\n`),
    frame(1, ''),
  ]);
  for (const partBytes of [1, 7, 4096, bytes.length]) {
    for (const name of ['stdout', 'stderr']) writeFileSync(`${sandbox}/${name}`, '');
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += partBytes) parts.push(bytes.subarray(at, at + partBytes));
    const writer = await openOutput(createFiles(), sandbox, START);
    assert.equal(await writer.follow(responseOf(parts)), true);
    writer.close();
    assert.equal(readFileSync(`${sandbox}/stdout`, 'utf8'), `one\n${'x'.repeat(5000)}\n`);
    assert.equal(readFileSync(`${sandbox}/stderr`, 'utf8'), 'error\n');
  }
});

test('bytes that are no messages, or a message beyond the limit, end the connection', async () => {
  const huge = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  for (const bytes of [Buffer.from('no frames at all'), huge]) {
    const writer = await openOutput(createFiles(), sandbox, START);
    assert.equal(await writer.follow(responseOf([bytes])), false);
    writer.close();
  }
});
