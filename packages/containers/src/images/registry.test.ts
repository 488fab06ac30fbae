// Against a real registry (Debian's docker-registry), without and with authentication.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSign, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type Outbound, type Result, seededRandom } from '@meseta/base';
import { realClock } from '@meseta/platform';
import { createOutbound } from '@meseta/platform/outbound';
import { parseCredentials } from './credentials.js';
import { parseReference } from './references.js';
import { endpointOf, openRegistrySession, parseChallenge } from './registry.js';
import type { StoredImage } from './store.js';
import { hasRegistry, imageOf, push, pushIndex, sha256, startRegistry } from './testing/registry.js';
import { openTestStore, scratchDirectory } from './testing/store.js';
import { tarOf } from './testing/tar.js';

const withRegistry = hasRegistry ? {} : { skip: 'needs root and the package docker-registry' };

const layers = [
  tarOf([
    { name: 'bin/sh', content: 'sh', mode: 0o755 },
    { name: 'gone', content: '1' },
  ]),
  tarOf([{ name: '.wh.gone' }, { name: 'etc/app', content: '2' }]),
];
const image = imageOf(layers, { Entrypoint: ['/bin/sh'], Env: ['A=1'] });

const errorOf = (result: Result<StoredImage, string>): string => (result.ok ? 'pulled' : result.error);
const hosts = (origin: string): string => origin.replace('http://', '');
const secrets = (origin: string, user: string, password: string) => {
  const auth = Buffer.from(`${user}:${password}`).toString('base64');
  const parsed = parseCredentials(Buffer.from(JSON.stringify({ auths: { [hosts(origin)]: { auth } } })), 'test');
  assert.ok(parsed.ok);
  return parsed.value;
};

describe('pulls from a registry', withRegistry, () => {
  for (const kind of ['oci', 'docker'] as const) {
    it(`an image with manifests of ${kind}, by tag and by digest`, async (t) => {
      const { origin } = await startRegistry(t);
      await push(origin, 'team/app', '1', imageOf(layers, { Entrypoint: ['/bin/sh'], Env: ['A=1'] }, kind));
      const { get } = await openTestStore(t, { registry: origin });
      const pulled = await get('team/app:1');
      assert.ok(pulled.ok, errorOf(pulled));
      assert.deepEqual(pulled.value.config.entrypoint, ['/bin/sh']);
      assert.deepEqual(
        pulled.value.layers.map((path) => path.split('/').at(-1)),
        layers.map((it) => sha256(it).slice(7)),
      );
      assert.deepEqual(readdirSync(pulled.value.layers[1] ?? '').sort(), ['etc', 'gone']);
      const { manifest } = imageOf(layers, { Entrypoint: ['/bin/sh'], Env: ['A=1'] }, kind);
      assert.equal(errorOf(await get(`team/app@${sha256(manifest)}`)), 'pulled');
    });

    it(`the image for this machine of an index of ${kind}`, async (t) => {
      const { origin } = await startRegistry(t);
      const other = imageOf([layers[0] ?? Buffer.alloc(0)], { Entrypoint: ['other'] }, kind);
      const own = imageOf(layers, { Entrypoint: ['own'] }, kind);
      const images = [
        { image: other, os: 'linux', architecture: 'arm64' },
        { image: own, os: 'linux', architecture: 'amd64' },
      ];
      await pushIndex(origin, 'app', 'latest', images, kind);
      const { get } = await openTestStore(t, { registry: origin });
      const pulled = await get('app');
      assert.deepEqual(pulled.ok && pulled.value.config.entrypoint, ['own']);
      const elsewhere = await openTestStore(t, { registry: origin, platform: { os: 'linux', architecture: 's390x' } });
      assert.match(errorOf(await elsewhere.get('app')), /not for linux\/s390x, only for linux\/arm64, linux\/amd64/);
    });
  }

  it('a registry that the name has takes the place of the default', async (t) => {
    const { origin } = await startRegistry(t);
    await push(origin, 'app', 'latest', image);
    const { get } = await openTestStore(t, { registry: origin });
    assert.equal(errorOf(await get(`${hosts(origin)}/app`)), 'pulled');
  });
});

describe('what is pulled once', withRegistry, () => {
  it('layers that an image shares with another one are not pulled again', async (t) => {
    const { origin, log } = await startRegistry(t);
    await push(origin, 'a', 'latest', image);
    await push(origin, 'b', 'latest', imageOf([...layers, tarOf([{ name: 'c' }])], {}));
    const { get } = await openTestStore(t, { registry: origin });
    assert.equal(errorOf(await get('a')), 'pulled');
    assert.equal(errorOf(await get('b')), 'pulled');
    const downloads = log().match(/"GET \/v2\/b\/blobs\/\S+/g) ?? [];
    // The configuration and the third layer.
    assert.equal(downloads.length, 2);
  });

  it('cached: false asks the registry again, and cached: true does not', async (t) => {
    const { origin } = await startRegistry(t);
    await push(origin, 'app', 'latest', imageOf(layers, { Cmd: ['old'] }));
    const { get } = await openTestStore(t, { registry: origin });
    assert.equal(errorOf(await get('app')), 'pulled');
    await push(origin, 'app', 'latest', imageOf(layers, { Cmd: ['new'] }));
    const cached = await get('app');
    assert.deepEqual(cached.ok && cached.value.config.cmd, ['old']);
    const fresh = await get('app', { cached: false });
    assert.deepEqual(fresh.ok && fresh.value.config.cmd, ['new']);
  });

  it('STORE-3: containers that ask for one image at the same time share its pull', async (t) => {
    const { origin, log } = await startRegistry(t);
    await push(origin, 'app', 'latest', image);
    const { get } = await openTestStore(t, { registry: origin });
    const pulled = await Promise.all(['c1', 'c2', 'c3'].map((container) => get('app', { container })));
    assert.deepEqual(pulled.map(errorOf), ['pulled', 'pulled', 'pulled']);
    assert.equal(log().match(/"GET \/v2\/app\/manifests\//g)?.length, 1);
  });
});

describe('PULL-2: pulls from a registry that fail leave nothing', withRegistry, () => {
  const failures: readonly (readonly [what: string, name: string, error: RegExp])[] = [
    ['an image that is not there', 'absent', /image absent:latest: .*no such image: .*status 404/],
    ['a tag that is not there', 'app:2', /no such image: .*manifest unknown/],
    ['a digest that is not there', `app@${sha256('')}`, /status 404/],
  ];
  for (const [what, name, error] of failures) {
    it(what, async (t) => {
      const { origin } = await startRegistry(t);
      await push(origin, 'app', 'latest', image);
      const { get, directory } = await openTestStore(t, { registry: origin });
      assert.match(errorOf(await get(name)), error);
      assert.deepEqual(readdirSync(join(directory, 'staging')), []);
    });
  }

  it('PULL-1: a layer whose unpacked content has not the digest of the configuration', async (t) => {
    const { origin } = await startRegistry(t);
    const wrong = imageOf(layers, {}, 'oci', { diffIds: [sha256('x'), sha256(layers[1] ?? '')] });
    await push(origin, 'app', 'latest', wrong);
    const { get, directory } = await openTestStore(t, { registry: origin });
    assert.match(errorOf(await get('app')), /layer 1 of 2: its unpacked content has the digest/);
    assert.deepEqual([readdirSync(join(directory, 'staging')), readdirSync(join(directory, 'layers'))], [[], []]);
  });

  it('an image beyond the limit of bytes', async (t) => {
    const { origin } = await startRegistry(t);
    await push(origin, 'app', 'latest', image);
    const { get } = await openTestStore(t, { registry: origin, limits: { maxBytes: 100, maxEntries: 100 } });
    assert.match(errorOf(await get('app')), /more than 100 bytes, the limit for an image \(--docker_max_image_size\)/);
  });
});

/** bcrypt of `secret word`. */
const HTPASSWD = 'ops:$2y$05$abcdefghijklmnopqrstuu1C7yeI3ZG3Jm.nHdnKkGJg1xTYKP9Oy\n';

it('basic authentication', withRegistry, async (t) => {
  const directory = scratchDirectory(t);
  writeFileSync(join(directory, 'htpasswd'), HTPASSWD);
  const { origin } = await startRegistry(t, { htpasswd: { realm: 'test', path: join(directory, 'htpasswd') } });
  const authorization = `Basic ${Buffer.from('ops:secret word').toString('base64')}`;
  await push(origin, 'app', 'latest', image, { authorization });
  const { get } = await openTestStore(t, { registry: origin });
  assert.match(errorOf(await get('app')), /there are no credentials for 127\.0\.0\.1:\d+ \(--docker_config\)/);
  assert.match(errorOf(await get('app', { credentials: secrets(origin, 'ops', 'wrong') })), /status 401/);
  assert.equal(errorOf(await get('app', { credentials: secrets(origin, 'ops', 'secret word') })), 'pulled');
});

/** Issues tokens as the registry's documentation describes it. */
function tokenOf(directory: string, service: string, access: readonly object[], lifetimeSeconds: number): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const certificate = readFileSync(join(directory, 'cert.pem'), 'utf8').replace(/-----[A-Z ]+-----|\s/g, '');
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'test issuer',
    sub: 'ops',
    aud: service,
    exp: now + lifetimeSeconds,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
    access,
  };
  const signed = `${encode({ typ: 'JWT', alg: 'RS256', x5c: [certificate] })}.${encode(claims)}`;
  const key = readFileSync(join(directory, 'key.pem'));
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`;
}

interface Tokens {
  readonly origin: string;
  /** The requests for tokens. */
  readonly asked: string[];
}

/** A registry with a token service of its own, which gives what is asked for to `ops`. */
async function startWithTokens(t: TestContext): Promise<Tokens> {
  const directory = scratchDirectory(t);
  const subject = ['-subj', '/CN=test issuer', '-days', '2'];
  const files = ['-keyout', 'key.pem', '-out', 'cert.pem'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files], {
    cwd: directory,
    stdio: 'ignore',
  });
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    const basic = request.headers.authorization?.replace('Basic ', '') ?? '';
    const user = Buffer.from(basic, 'base64').toString();
    asked.push(`${user} ${url.searchParams.get('service')} ${url.searchParams.get('scope')}`);
    if (user !== 'ops:token secret') return response.writeHead(401).end();
    const [, name, actions = ''] = /^repository:([^:]+):(.*)$/.exec(url.searchParams.get('scope') ?? '') ?? [];
    const access = [{ type: 'repository', name, actions: actions.split(',') }];
    return response.end(JSON.stringify({ token: tokenOf(directory, 'test service', access, 300) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const token = { realm, service: 'test service', issuer: 'test issuer', rootcertbundle: join(directory, 'cert.pem') };
  const { origin } = await startRegistry(t, { token });
  const access = [{ type: 'repository', name: 'team/app', actions: ['push', 'pull'] }];
  const authorization = `Bearer ${tokenOf(directory, 'test service', access, 300)}`;
  await push(origin, 'team/app', 'latest', image, { authorization });
  return { origin, asked };
}

it('IMAGE-REGISTRY-2: bearer tokens, for pulling this repository only', withRegistry, async (t) => {
  const { origin, asked } = await startWithTokens(t);
  const { get } = await openTestStore(t, { registry: origin });
  const refused = errorOf(await get('team/app', { credentials: secrets(origin, 'ops', 'wrong secret') }));
  assert.match(refused, /status 401; the credentials were rejected \(--docker_config\)/);
  assert.ok(!refused.includes('wrong secret') && !refused.includes(Buffer.from('ops:wrong secret').toString('base64')));
  assert.match(errorOf(await get('team/app')), /there are no credentials for it/);
  assert.equal(errorOf(await get('team/app', { credentials: secrets(origin, 'ops', 'token secret') })), 'pulled');
  assert.deepEqual(asked, [
    'ops:wrong secret test service repository:team/app:pull',
    ' test service repository:team/app:pull',
    'ops:token secret test service repository:team/app:pull',
  ]);
});

/** A server that answers as no registry should. */
async function serve(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const challenging = (text: string) => (_: IncomingMessage, response: ServerResponse) =>
  response.writeHead(401, { 'www-authenticate': text }).end();
const answering =
  (text: string, headers: object = {}) =>
  (_: IncomingMessage, response: ServerResponse) =>
    response.writeHead(200, headers as never).end(text);
const descriptor = { digest: sha256('x'), size: 1 };
const manifest = (fields: object): string =>
  JSON.stringify({ schemaVersion: 2, config: descriptor, layers: [descriptor], ...fields });
const answers: readonly (readonly [
  what: string,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  error: RegExp,
])[] = [
  ['an endless document', (_, response) => response.write(Buffer.alloc(5 * 2 ** 20)), /more than 4194304 bytes/],
  [
    'endless redirects',
    (_, response) => response.writeHead(307, { location: '/again' }).end(),
    /more than 5 redirects/,
  ],
  [
    'a redirect to a file',
    (_, response) => response.writeHead(307, { location: 'file:///etc/passwd' }).end(),
    /no http or https URL/,
  ],
  ['a token service that is none', challenging('Bearer realm="nowhere"'), /no URL for tokens/],
  ['a token service with another protocol', challenging('Bearer realm="file:///etc/passwd"'), /file:.* not encrypted/],
  ['an authentication that is not known', challenging('Negotiate'), /neither Bearer nor Basic/],
  ['a manifest of schema 1', answering('{"schemaVersion":1}'), /schemaVersion: expected 2, got 1/],
  ['a manifest that is no JSON', answering('<html>'), /manifest: expected JSON/],
  ['a manifest that is a list', answering('[]'), /expected a JSON object/],
  [
    'a manifest nested too deep',
    answering('['.repeat(2_000_000)),
    /manifest: expected JSON with at most 200 levels|at most/,
  ],
  [
    'a digest of another kind',
    answering(manifest({ config: { digest: 'md5:1', size: 1 } })),
    /manifest\.config\.digest/,
  ],
  [
    'a digest that leads elsewhere',
    answering(manifest({ config: { digest: 'sha256:../../x', size: 1 } })),
    /manifest\.config\.digest/,
  ],
  ['a size that is none', answering(manifest({ config: { ...descriptor, size: -1 } })), /manifest\.config\.size/],
  ['layers that are none', answering(manifest({ layers: {} })), /manifest\.layers: expected a list/],
  ['no layers', answering(manifest({ layers: [] })), /expected a layer/],
  [
    'thousands of layers',
    answering(manifest({ layers: Array.from({ length: 5000 }, () => descriptor) })),
    /at most 127 items, got 5000/,
  ],
  [
    'a configuration of a gigabyte',
    answering(manifest({ config: { ...descriptor, size: 2 ** 30 } })),
    /at most 4194304 bytes, got 1073741824/,
  ],
  [
    'a manifest with another digest',
    answering(manifest({}), { 'docker-content-digest': sha256('y') }),
    /has the digest .* expected/,
  ],
  [
    'an index in an index',
    (request, response) => {
      const inner = JSON.stringify({ schemaVersion: 2, manifests: [] });
      const outer = JSON.stringify({
        schemaVersion: 2,
        manifests: [{ digest: sha256(inner), size: 1, platform: { os: 'linux', architecture: 'amd64' } }],
      });
      response.end(request.url?.includes('sha256') ? inner : outer);
    },
    /an index in an index/,
  ],
  ['a server in trouble', (_, response) => response.writeHead(503).end(), /status 503/],
];

describe('answers of registries that are refused', () => {
  for (const [what, answer, error] of answers) {
    it(what, async (t) => {
      const registry = await serve(t, answer);
      const { get, directory } = await openTestStore(t, { registry });
      assert.match(errorOf(await get('app')), error);
      assert.deepEqual(readdirSync(join(directory, 'staging')), []);
      assert.ok(!existsSync(join(directory, 'layers', 'x')));
    });
  }
});

describe('pulls that take long', () => {
  it('IMAGE-REGISTRY-3: a server in trouble is asked again, five times in all', async (t) => {
    let requests = 0;
    const registry = await serve(t, (_, response) => {
      requests++;
      response.writeHead(503).end();
    });
    const { get } = await openTestStore(t, { registry });
    assert.match(errorOf(await get('app')), /status 503/);
    assert.equal(requests, 5);
  });

  it('STORE-3: a pull ends when all who wait for it stop, and not before', async (t) => {
    let closed = (): void => {};
    const ended = new Promise<void>((resolve) => {
      closed = resolve;
    });
    let arrived = (): void => {};
    const begun = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const registry = await serve(t, (request) => {
      request.socket.once('close', closed);
      arrived();
    });
    const { get } = await openTestStore(t, { registry });
    const [first, second] = [new AbortController(), new AbortController()];
    const pulls = [get('app', { signal: first.signal }), get('app', { signal: second.signal, container: 'd' })];
    await begun;
    first.abort();
    assert.match(errorOf((await pulls[0]) ?? { ok: false, error: '' }), /stopped/);
    second.abort();
    assert.match(errorOf((await pulls[1]) ?? { ok: false, error: '' }), /stopped/);
    await ended;
  });
});

it('IMAGE-REGISTRY-1: a registry that uses TLS gets no credentials for a token service without it', async () => {
  const asked: string[] = [];
  const headers = new Map([['www-authenticate', 'Bearer realm="http://tokens.example/t"']]);
  const outbound: Outbound = {
    ...createOutbound(),
    get: async (url, options) => {
      asked.push(`${url} ${options.headers?.['authorization'] ?? 'none'}`);
      return { ok: true, value: { status: 401, headers, body: new Uint8Array() } };
    },
  };
  const endpoint = { origin: 'https://registry.example', repository: 'app', host: 'registry.example' };
  const ports = { outbound, clock: realClock, random: seededRandom(1), stallTimeoutMs: 1, removeFile: async () => {} };
  const credentials = new Map([['registry.example', 'dTpw']]);
  const session = openRegistrySession(ports, endpoint, credentials, new AbortController().signal);
  const answer = await session.manifest('latest');
  assert.match(answer.ok ? '' : answer.error, /names http:\/\/tokens\.example for tokens, which is not encrypted/);
  assert.deepEqual(asked, ['https://registry.example/v2/app/manifests/latest none']);
});

it('IMAGE-REGISTRY-1: a server that the registry redirects to does not name who gets the credentials', async (t) => {
  const asked: string[] = [];
  const thief = await serve(t, ({ url = '', headers: { authorization = 'none' } }, response) => {
    asked.push(`${url.split('?')[0]} ${authorization}`);
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${thief}/token"` }).end();
  });
  const registry = await serve(t, (_, response) => response.writeHead(307, { location: `${thief}/blob` }).end());
  const { get } = await openTestStore(t, { registry });
  assert.match(errorOf(await get('app', { credentials: secrets(registry, 'ops', 'secret') })), /asks for an authentic/);
  assert.deepEqual(asked, ['/blob none']);
});

describe('where images are', () => {
  const HUB = 'https://registry-1.docker.io';
  const places: readonly (readonly [name: string, flag: string, origin: string, repository: string])[] = [
    ['busybox', HUB, HUB, 'library/busybox'],
    ['docker.io/busybox', HUB, HUB, 'library/busybox'],
    ['a/b', HUB, HUB, 'a/b'],
    ['quay.example/b', HUB, 'https://quay.example', 'b'],
    ['host:80/b', HUB, 'http://host:80', 'b'],
    ['host:5000/b', HUB, 'https://host:5000', 'b'],
    ['host:5000/b', 'http://host:5000', 'http://host:5000', 'b'],
    ['b', 'http://host:5000/ignored', 'http://host:5000', 'b'],
    ['docker.io/b', 'http://host:5000', HUB, 'library/b'],
  ];
  for (const [name, flag, origin, repository] of places) {
    it(`${name} with --docker_registry=${flag}`, () => {
      const reference = parseReference(name);
      assert.ok(reference.ok);
      const found = endpointOf(reference.value, flag);
      assert.deepEqual(found.ok && [found.value.origin, found.value.repository], [origin, repository]);
    });
  }
});

describe('configs with credentials', () => {
  const basic = Buffer.from('u:p').toString('base64');
  const configs: readonly (readonly [what: string, config: unknown, found: readonly (readonly [string, string])[]])[] =
    [
      ['of Docker', { auths: { 'host:5000': { auth: basic } }, credsStore: 'x' }, [['host:5000', basic]]],
      [
        'of Docker Hub',
        { auths: { 'https://index.docker.io/v1/': { auth: basic } } },
        [['registry-1.docker.io', basic]],
      ],
      ['of the older kind', { 'https://host/v2/': { auth: basic, email: 'x' } }, [['host', basic]]],
      ['with a user name and password', { auths: { host: { username: 'u', password: 'p' } } }, [['host', basic]]],
      ['with a header in it', { auths: { host: { auth: 'dTpw\r\nx: y' } } }, []],
      ['with no pair in it', { auths: { host: { auth: Buffer.from('u').toString('base64') } } }, []],
      ['with values of other types', { auths: { a: 1, b: null, c: { auth: 2 }, d: [] } }, []],
    ];
  for (const [what, config, found] of configs) {
    it(what, () => {
      const parsed = parseCredentials(Buffer.from(JSON.stringify(config)), '--docker_config');
      assert.deepEqual(parsed.ok && [...parsed.value], found);
    });
  }

  it('CREDENTIALS-1: the error about a config does not have a part of it', () => {
    const parsed = parseCredentials(Buffer.from('{"auths": secret'), '--docker_config');
    assert.equal(parsed.ok ? '' : parsed.error, '--docker_config: expected the JSON of a config.json of Docker');
  });
});

describe('challenges', () => {
  const challenges: readonly (readonly [header: string, expected: ReturnType<typeof parseChallenge>])[] = [
    ['Bearer realm="https://a/t",service="s",scope="x:y"', { scheme: 'bearer', realm: 'https://a/t', service: 's' }],
    ['basic realm="x"', { scheme: 'basic', realm: 'x', service: undefined }],
    ['Negotiate, Basic realm="y"', { scheme: 'basic', realm: 'y', service: undefined }],
    ['Digest realm="x"', undefined],
    ['', undefined],
  ];
  for (const [header, expected] of challenges)
    it(header || 'none', () => assert.deepEqual(parseChallenge(header), expected));
});
