// How many items a repeated or map field takes: by what it holds, and where it stands.
import { LIMITS } from '@meseta/base';
import type { FieldSchema, MessageSchema } from './schema.js';

/** Fields that name roles. */
const ROLES: ReadonlySet<string> = new Set(['roles', 'suppressed_roles']);

/** Records that calls and messages carry stand in this package itself, calls and messages in others. */
const isRecord = ({ fullName }: MessageSchema): boolean => /^mesos\.v1\.[A-Z]/.test(fullName);

export function itemLimitOf(message: MessageSchema, field: FieldSchema): number {
  if (field.type === 'Resource') return LIMITS.resources.most;
  if (field.type === 'OfferFiltersResourceQuantities') return LIMITS.minimumSets.most;
  if (field.type === 'ValueRange') return LIMITS.ranges.most;
  if (field.type === 'Label') return LIMITS.labels.most;
  if (field.type === 'string' && ROLES.has(field.name)) return LIMITS.frameworkRoles.most;
  // A set's items are the one list of a record that is long in earnest.
  if (message.name === 'ValueSet') return LIMITS.repeatedField.most;
  return isRecord(message) ? LIMITS.recordField.most : LIMITS.repeatedField.most;
}
