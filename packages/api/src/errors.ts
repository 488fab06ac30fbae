// The error of a request that a server refuses: a code, a text that names the field and the expected value, and a table from
// codes to HTTP statuses.

const statuses = {
  redirected: 307,
  badRequest: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  methodNotAllowed: 405,
  notAcceptable: 406,
  conflict: 409,
  tooLarge: 413,
  unsupportedMediaType: 415,
  notImplemented: 501,
  unavailable: 503,
} as const;

export type RefusalCode = keyof typeof statuses;

export interface Refusal {
  readonly code: RefusalCode;
  readonly text: string;
  /** Headers that the status needs: `Allow`, `Location`, `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const refusal = (code: RefusalCode, text: string, headers?: Readonly<Record<string, string>>): Refusal =>
  headers === undefined ? { code, text } : { code, text, headers };

export const statusOf = (code: RefusalCode): number => statuses[code];
