import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { clusterOf, fetchJson, jsonText } from './cluster.js';
import { CommandError, EXIT } from './command.js';

test('big integers are numbers with all digits', () => {
  assert.equal(jsonText({ at: 1_234_567_890_123_456_789n, less: -5n }), '{"at":1234567890123456789,"less":-5}');
});

const texts: readonly (readonly [what: string, text: string])[] = [
  ['a zero byte before digits', '\u0000007'],
  ['zero bytes before digits', '\u0000\u000012'],
  ['a quote, a zero byte and digits', 'a"\u000012'],
  ['a quote and two zero bytes', 'a"\u0000\u0000'],
  ['a control sequence in one character', '\u009b2J\u007f'],
];
for (const [what, text] of texts) {
  test(`JSON has a text with ${what} as it is, without control characters`, () => {
    for (const value of [[text], { [text]: text }]) {
      const json = jsonText(value);
      assert.deepEqual(JSON.parse(json), value);
      assert.doesNotMatch(json, /\p{Cc}/u);
    }
  });
}

test('a secret file that cannot be read is an error of the command line that names the option', () => {
  assert.throws(
    () => clusterOf({ principal: 'ops', 'secret-file': '/nowhere/secret' }),
    (error) =>
      error instanceof CommandError && error.exitCode === EXIT.usage && /^--secret-file: .*ENOENT/.test(error.message),
  );
});

test('an address of masters with a password is an error of the command line that does not show it', () => {
  for (const master of ['http://me:s3cret@a:5050', 'a:5050,http://me:s3/cret@b:5050'])
    assert.throws(
      () => clusterOf({ master }),
      (error) =>
        error instanceof CommandError &&
        error.exitCode === EXIT.usage &&
        /^--master: .*--secret-file$/.test(error.message) &&
        !error.message.includes('cret@'),
    );
});

test('a document that is no JSON, refused or cut off is an error that names the server', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/page') response.end('<html>');
    else if (request.url === '/refused') response.writeHead(403).end('not you');
    else response.writeHead(200, { 'Content-Length': 100 }).write('{', () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const table = [
    ['/page', /^the agent at x answered with something other than JSON: <html>$/],
    ['/refused', /^the agent at x answered 403 not you$/],
    ['/cut', /^the response of the agent at x is not complete: /],
  ] as const;
  for (const [path, message] of table)
    await assert.rejects(
      fetchJson(`http://127.0.0.1:${port}${path}`, 'the agent at x', undefined),
      (error) => error instanceof CommandError && message.test(error.message),
      path,
    );
});
