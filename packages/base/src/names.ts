// Validation of names from outside that become file names. Master and agent both validate them when they receive them. The
// rules for ids are Mesos' (src/common/validation.cpp, src/slave/validation.cpp).
import { overLimit } from './limits.js';

/** Control characters, slash and backslash. */
const SEPARATORS = /[\p{Cc}/\\]/u;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** The problem with an id, as a sentence that begins with `field`; undefined if the id can be a directory name. */
export function checkId(field: string, id: string): string | undefined {
  if (id === '') return `${field}: expected an id, got an empty string`;
  const tooLong = overLimit('id', field, utf8Length(id));
  if (tooLong !== undefined) return tooLong;
  if (id === '.' || id === '..') return `${field}: expected an id other than "." and "..", got ${JSON.stringify(id)}`;
  if (SEPARATORS.test(id) || LONE_SURROGATE.test(id)) {
    return `${field}: expected no slash, backslash and control character, got ${JSON.stringify(id)}`;
  }
  return undefined;
}

export interface ContainerIdLike {
  readonly value: string;
  readonly parent?: ContainerIdLike | undefined;
}

/** The name of the link to the newest container directory, which no container may have. */
const LATEST = 'latest';

/**
 * The problem with the id of a container and of its parents; undefined if there is none. Beyond the rules of `checkId`, no
 * part has a period or a space, and the depth is limited.
 */
export function checkContainerId(field: string, id: ContainerIdLike): string | undefined {
  let levels = 0;
  let at = field;
  for (let part: ContainerIdLike | undefined = id; part !== undefined; part = part.parent) {
    const { value } = part;
    const problem =
      overLimit('containerDepth', field, ++levels) ??
      checkId(`${at}.value`, value) ??
      overLimit('containerId', `${at}.value`, utf8Length(value)) ??
      (/[. ]/.test(value) ? `${at}.value: expected no period and space, got ${JSON.stringify(value)}` : undefined) ??
      (value === LATEST ? `${at}.value: expected an id other than "${LATEST}"` : undefined);
    if (problem !== undefined) return problem;
    at += '.parent';
  }
  return undefined;
}

/** The names of a path; empty ones and `.` mean nothing. */
export const pathComponents = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

/**
 * The problem with a path, as a sentence that begins with `field`; undefined if the path is below the directory that it is
 * relative to: neither the directory itself nor outside of it.
 */
export function checkPathBelow(field: string, path: string): string | undefined {
  const tooLong = overLimit('path', field, utf8Length(path));
  if (tooLong !== undefined) return tooLong;
  const parts = pathComponents(path);
  if (parts.length === 0) return `${field}: expected a path, got ${JSON.stringify(path)}`;
  if (parts.includes('..')) return `${field}: expected a path without "..", got ${JSON.stringify(path)}`;
  return parts.map((part) => checkId(field, part)).find((problem) => problem !== undefined);
}

/** The bytes of the text in UTF-8, in which half of a surrogate pair is U+FFFD, without encoding it. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) as number;
    if (code > 0xffff) i++;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code <= 0xffff ? 3 : 4;
  }
  return bytes;
}
