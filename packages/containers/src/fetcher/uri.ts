// Parses a URI of a command: its source, and its destination in the sandbox (Mesos: docs/fetcher.md). Pure.
import { checkId, checkPathBelow, err, ok, pathComponents, type Result, withoutTrailing } from '@meseta/base';

export type Source = { readonly kind: 'file'; readonly path: string } | { readonly kind: 'net'; readonly url: string };

/** A URI without a scheme is a local path; a relative path is relative to `frameworksHome`. */
export function sourceOf(value: string, frameworksHome: string | undefined): Result<Source, string> {
  const uri = value.trimStart();
  if (/^https?:\/\//.test(uri)) return ok({ kind: 'net', url: uri });
  const isFile = uri.startsWith('file://');
  const scheme = /^([^:/]*):\/\//.exec(uri)?.[1];
  if (!isFile && scheme !== undefined) {
    return err(`no fetcher for "${scheme}://": expected http, https, file or a path`);
  }
  const path = isFile ? uri.slice('file://'.length).replace(/^localhost/, '') : uri;
  if (path.startsWith('/')) return ok({ kind: 'file', path });
  if (isFile) return err('a file:// URI needs an absolute path');
  if (frameworksHome === undefined || frameworksHome === '') {
    return err('a relative path needs the flag --frameworks_home');
  }
  return ok({ kind: 'file', path: `${frameworksHome}/${path}` });
}

/** The last part of the URI with its query: the file's name in Mesos if there is no `output_file`. */
export function baseNameOf(value: string): Result<string, string> {
  const uri = value.trimStart();
  if (/[\\'\0]/.test(uri)) return err('illegal characters (backslash, quote or NUL)');
  const scheme = uri.indexOf('://');
  const path = scheme > 1 ? uri.slice(scheme + 3) : uri;
  if (scheme > 1 && path.slice(path.indexOf('/') + 1) === '') return err('malformed URI: the path is missing');
  if (scheme > 1 && !path.includes('/')) return err('malformed URI: the path is missing');
  const name = withoutTrailing(path, '/').split('/').pop() ?? '';
  const problem = checkId('malformed URI: its last part', name);
  return problem === undefined ? ok(name) : err(problem);
}

/** The destination below the sandbox. A path that leads out of it is refused. */
export function destinationOf(value: string, outputFile: string | undefined): Result<string, string> {
  const name = baseNameOf(value);
  if (!name.ok || outputFile === undefined) return name;
  const problem = checkPathBelow('output_file', outputFile);
  if (problem !== undefined) return err(problem);
  if (outputFile.startsWith('/')) return err(`output_file: expected a path within the sandbox, got "${outputFile}"`);
  return ok(pathComponents(outputFile).join('/'));
}

export type Archive = 'tar' | 'zip' | 'gzip';

const TAR_SUFFIXES = ['.tar', '.tgz', '.tar.gz', '.tbz2', '.tar.bz2', '.txz', '.tar.xz'];

/** The kind of archive that a file of this name is; undefined: none. */
export function archiveKind(name: string): Archive | undefined {
  if (TAR_SUFFIXES.some((suffix) => name.endsWith(suffix))) return 'tar';
  if (name.endsWith('.zip')) return 'zip';
  return name.endsWith('.gz') ? 'gzip' : undefined;
}
