// JSONP: the document wrapped in a call of the function that `?jsonp=` names, as Mesos' web UI asks for it.

/** Names a browser would take for a function: identifiers joined by dots. Anything else could be script. */
const functionName = /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/;

export interface JsonWrapping {
  readonly before: string;
  readonly after: string;
  readonly contentType: string;
}

/** What goes around a JSON document; undefined if the name can't be a function's. */
export function jsonWrapping(name: string | undefined): JsonWrapping | undefined {
  if (name === undefined || name === '') return { before: '', after: '', contentType: 'application/json' };
  if (!functionName.test(name)) return undefined;
  return { before: `${name}(`, after: ')', contentType: 'text/javascript' };
}
