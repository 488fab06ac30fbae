// What of a message is shown to people and programs that read state: everything but its secrets. The value of a
// mesos.Secret (in environment variables, volumes, image configurations, CSI) and that of a mesos.Credential are left out:
// the reader sees that there is a secret, and not which.
//
// SECRETS-1: no message that is shown holds the value of a secret, wherever the schema has one.

type Fields = { readonly [field: string]: unknown };

const hasOnly = (message: Fields, allowed: readonly string[]): boolean =>
  Object.keys(message).every((field) => allowed.includes(field));

/** A mesos.Secret with its value; no other message of the schema has this shape (a test looks through all). */
const isSecret = (message: Fields): boolean => {
  const { value } = message;
  return (
    typeof value === 'object' && value !== null && 'data' in value && hasOnly(message, ['type', 'reference', 'value'])
  );
};

const isCredential = ({ principal, secret, ...rest }: Fields): boolean =>
  typeof principal === 'string' && typeof secret === 'string' && Object.keys(rest).length === 0;

/** The same message where there is nothing to leave out. */
export function withoutSecrets<Message>(message: Message): Message {
  return shown(message) as Message;
}

/** Messages nest as deep as their decoders let them. */
function shown(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return changed(value, shown);
  const message = value as Fields;
  if (isSecret(message)) {
    const { value: _, ...rest } = message;
    return rest;
  }
  if (isCredential(message)) return { principal: message['principal'] };
  let copy: Record<string, unknown> | undefined;
  for (const [field, before] of Object.entries(message)) {
    const after = shown(before);
    if (after === before) continue;
    copy ??= { ...message };
    copy[field] = after;
  }
  return copy ?? message;
}

function changed(list: readonly unknown[], change: (item: unknown) => unknown): readonly unknown[] {
  const after = list.map(change);
  return after.every((item, i) => item === list[i]) ? list : after;
}
