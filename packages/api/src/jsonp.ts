// JSONP: the document in a call of the function that `?jsonp=` names, for Mesos' web UI.

/** Identifiers joined by dots. Other text could be a script. */
const functionName = /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/;

export interface JsonWrapping {
  readonly before: string;
  readonly after: string;
  readonly contentType: string;
}

/** The text around a JSON document; undefined if the name cannot be that of a function. */
export function jsonWrapping(name: string | undefined): JsonWrapping | undefined {
  if (name === undefined || name === '') return { before: '', after: '', contentType: 'application/json' };
  if (!functionName.test(name)) return undefined;
  return { before: `${name}(`, after: ')', contentType: 'text/javascript' };
}
