// The calls of etcd's JSON gateway that a coordination needs (rpc.proto and kv.proto of etcd 3.4: paths, fields, the order of
// keys). Bytes are base64 in JSON, and numbers of 64 bits are strings.

/** One call. `read` returns undefined for a malformed answer. */
export interface EtcdCall<T> {
  readonly path: string;
  readonly body: object;
  /** A change is sent once; anything else may be sent again. */
  readonly isChange: boolean;
  read(answer: Fields): T | undefined;
}

/** An object of an answer, none of whose fields is checked yet. */
export type Fields = { readonly [name: string]: unknown };

export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
  /** The revision at which the key was created. Revisions grow with every change of the cluster's data. */
  readonly createRevision: number;
  /** The revision at which it was last set. */
  readonly setRevision: number;
}

/** The key of a term, which exists only during the term. */
export interface Fence {
  readonly key: string;
  readonly createRevision: number;
}

export type Change =
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: string };

const base64 = (data: string | Uint8Array): string => Buffer.from(data as string).toString('base64');
const MAX_KEY_BYTES = 4096;

export const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

/** A number of 64 bits; a field that is 0 is omitted. Undefined for another value or one that a double cannot hold. */
function integer(value: unknown): number | undefined {
  if (value === undefined) return 0;
  const number = typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? Number(value) : undefined;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Revisions begin at 1. */
function revision(value: unknown): number | undefined {
  const number = integer(value) ?? 0;
  return number > 0 ? number : undefined;
}

function keyValue(value: unknown): KeyValue | undefined {
  const fields = fieldsOf(value);
  const createRevision = revision(fields?.['create_revision']);
  const setRevision = revision(fields?.['mod_revision']);
  const { key, value: data = '' } = fields ?? {};
  if (createRevision === undefined || setRevision === undefined || typeof key !== 'string' || typeof data !== 'string')
    return undefined;
  if (key.length > MAX_KEY_BYTES) return undefined;
  return {
    key: Buffer.from(key, 'base64').toString(),
    value: Buffer.from(data, 'base64'),
    createRevision,
    setRevision,
  };
}

/** An empty list is omitted. */
function keyValues(range: unknown): readonly KeyValue[] | undefined {
  const list = fieldsOf(range) && (fieldsOf(range)?.['kvs'] ?? []);
  if (!Array.isArray(list)) return undefined;
  const found = list.map(keyValue);
  return found.every((each) => each !== undefined) ? found : undefined;
}

/** The results of the operations of a transaction. */
const responsesOf = (answer: Fields): readonly Fields[] | undefined => {
  const { responses = [] } = answer;
  return Array.isArray(responses) ? responses.map((response) => fieldsOf(response) ?? {}) : undefined;
};

/** The end of the range of all keys that begin with the prefix. Prefixes end with a slash. */
const endOfPrefix = (prefix: string): string => `${prefix.slice(0, -1)}0`;

export const authenticateCall = (name: string, password: string): EtcdCall<string> => ({
  path: '/v3/auth/authenticate',
  body: { name, password },
  isChange: false,
  read: ({ token }) => (typeof token === 'string' && /^[\x21-\x7e]{1,8192}$/.test(token) ? token : undefined),
});

export interface GrantedLease {
  readonly id: string;
  readonly ttlSeconds: number;
}

/** Repeated, it makes another lease, and the first one expires. */
export const grantLeaseCall = (ttlSeconds: number): EtcdCall<GrantedLease> => ({
  path: '/v3/lease/grant',
  body: { TTL: String(ttlSeconds) },
  isChange: false,
  read({ ID, TTL }) {
    const seconds = integer(TTL);
    if (typeof ID !== 'string' || !/^-?\d{1,19}$/.test(ID) || seconds === undefined || seconds < 1) return undefined;
    return { id: ID, ttlSeconds: seconds };
  },
});

/** The seconds for which the lease is kept from now on; 0 if it has ended. */
export const keepLeaseCall = (id: string): EtcdCall<number> => ({
  path: '/v3/lease/keepalive',
  body: { ID: id },
  isChange: false,
  read({ result }) {
    const kept = fieldsOf(result);
    return kept && integer(kept['TTL']);
  },
});

export const revokeLeaseCall = (id: string): EtcdCall<true> => ({
  path: '/v3/lease/revoke',
  body: { ID: id },
  isChange: false,
  read: () => true,
});

/**
 * Makes the key, which lasts as long as the lease, and reads its revision. Repeated, it reads the revision of the first time.
 */
export const contendCall = (key: string, value: Uint8Array, lease: string): EtcdCall<number> => ({
  path: '/v3/kv/txn',
  body: {
    compare: [{ target: 'CREATE', result: 'EQUAL', key: base64(key), create_revision: '0' }],
    success: [{ request_put: { key: base64(key), value: base64(value), lease } }],
    failure: [{ request_range: { key: base64(key) } }],
  },
  isChange: false,
  read(answer) {
    if (answer['succeeded'] === true) return revision(fieldsOf(answer['header'])?.['revision']);
    return keyValues(responsesOf(answer)?.[0]?.['response_range'])?.[0]?.createRevision;
  },
});

export interface Contenders {
  /** The contender whose key was created before those of all others. */
  readonly oldest: KeyValue | undefined;
  /** Whether `own` exists. */
  readonly hasOwn: boolean;
}

export const contendersCall = (prefix: string, own: string): EtcdCall<Contenders> => ({
  path: '/v3/kv/txn',
  body: {
    success: [
      {
        request_range: {
          key: base64(prefix),
          range_end: base64(endOfPrefix(prefix)),
          sort_target: 'CREATE',
          sort_order: 'ASCEND',
          limit: '1',
        },
      },
      { request_range: { key: base64(own), keys_only: true } },
    ],
  },
  isChange: false,
  read(answer) {
    const [first, second] = responsesOf(answer) ?? [];
    const oldest = keyValues(first?.['response_range']);
    const found = keyValues(second?.['response_range']);
    if (answer['succeeded'] !== true || oldest === undefined || found === undefined) return undefined;
    return { oldest: oldest[0], hasOwn: found.length > 0 };
  },
});

const compareFence = ({ key, createRevision }: Fence) => [
  { target: 'CREATE', result: 'EQUAL', key: base64(key), create_revision: String(createRevision) },
];

/** Reads while the fence exists, if one is given; `fenced` if it does not. */
function fencedRange(fence: Fence | undefined, range: object): EtcdCall<readonly KeyValue[] | 'fenced'> {
  return {
    path: '/v3/kv/txn',
    body: { compare: fence === undefined ? [] : compareFence(fence), success: [{ request_range: range }] },
    isChange: false,
    read(answer) {
      if (answer['succeeded'] !== true) return 'fenced';
      return keyValues(responsesOf(answer)?.[0]?.['response_range']);
    },
  };
}

export const getCall = (fence: Fence | undefined, key: string): EtcdCall<readonly KeyValue[] | 'fenced'> =>
  fencedRange(fence, { key: base64(key) });

/** The first `limit` keys with the prefix from `from` on, in order, without values. */
export const keysCall = (
  fence: Fence | undefined,
  prefix: string,
  from: string,
  limit: number,
): EtcdCall<readonly KeyValue[] | 'fenced'> =>
  fencedRange(fence, {
    key: base64(from),
    range_end: base64(endOfPrefix(prefix)),
    sort_target: 'KEY',
    sort_order: 'ASCEND',
    limit: String(limit),
    keys_only: true,
  });

/** Makes all changes while the fence exists. */
export const writeCall = (fence: Fence, changes: readonly Change[]): EtcdCall<'written' | 'fenced'> => ({
  path: '/v3/kv/txn',
  body: {
    compare: compareFence(fence),
    success: changes.map((change) =>
      change.kind === 'put'
        ? { request_put: { key: base64(change.key), value: base64(change.value) } }
        : { request_delete_range: { key: base64(change.key) } },
    ),
  },
  isChange: true,
  // A false `succeeded` is omitted; an answer without a header is none of etcd's.
  read: ({ succeeded, header }) =>
    fieldsOf(header) === undefined ? undefined : succeeded === true ? 'written' : 'fenced',
});

export const WATCH_PATH = '/v3/watch';
export const watchBody = (prefix: string): object => ({
  create_request: { key: base64(prefix), range_end: base64(endOfPrefix(prefix)) },
});
