// The header lines of a request's head, as strictly as node:http reads them: what two readers could take for different
// things (a folded line, a bare line feed, a name that comes twice, a space before the colon) is read by neither parser of
// this process' own.
import { LIMITS } from '@meseta/base';

/** By name in lower case, each sent once. */
export interface HeaderFields {
  readonly [name: string]: string;
}

/** A token (RFC 9110, 5.6.2), and a value without control characters: no two parts of it could take the same character. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\u0080-\u00ff]*)$/;

/** Undefined: node:http is to decide what the lines mean, or that they mean nothing. */
export function parseHeaderLines(lines: readonly string[]): HeaderFields | undefined {
  if (lines.length > LIMITS.requestHeaders.most) return undefined;
  const fields: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? [];
    const key = name?.toLowerCase();
    if (key === undefined || value === undefined || fields[key] !== undefined) return undefined;
    fields[key] = value.replace(/^[\t ]+/, '').trimEnd();
  }
  return fields;
}
