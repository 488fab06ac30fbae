// Removes secrets from messages that are shown in views. The value of a mesos.Secret (in environment variables, volumes,
// image configurations, CSI) and the secret of a mesos.Credential are left out, so that a view shows that there is a
// secret, but not its value.
//
// SECRETS-1: no message that is shown has the value of a secret, at any place where the schema has one.

type Fields = { readonly [field: string]: unknown };

const hasOnly = (message: Fields, allowed: readonly string[]): boolean =>
  Object.keys(message).every((field) => allowed.includes(field));

/** A mesos.Secret with its value. No other message of the schema has these fields (a test checks all). */
const isSecret = (message: Fields): boolean => {
  const { value } = message;
  return (
    typeof value === 'object' && value !== null && 'data' in value && hasOnly(message, ['type', 'reference', 'value'])
  );
};

const isCredential = ({ principal, secret, ...rest }: Fields): boolean =>
  typeof principal === 'string' && typeof secret === 'string' && Object.keys(rest).length === 0;

/** Returns the same object if the message has no secret. */
export function withoutSecrets<Message>(message: Message): Message {
  return removeSecrets(message) as Message;
}

/** The recursion is bounded, as decoders limit the nesting of messages. */
function removeSecrets(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return mapChanged(value, removeSecrets);
  const message = value as Fields;
  if (isSecret(message)) {
    const { value: _, ...rest } = message;
    return rest;
  }
  if (isCredential(message)) return { principal: message['principal'] };
  let copy: Record<string, unknown> | undefined;
  for (const [field, before] of Object.entries(message)) {
    const after = removeSecrets(before);
    if (after === before) continue;
    copy ??= { ...message };
    copy[field] = after;
  }
  return copy ?? message;
}

/** The same list if `change` returns every item unchanged. */
function mapChanged(list: readonly unknown[], change: (item: unknown) => unknown): readonly unknown[] {
  const after = list.map(change);
  return after.every((item, i) => item === list[i]) ? list : after;
}
