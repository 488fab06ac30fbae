// The limit of items of each repeated or map field, and the fields that hold the text of an id.
import { LIMITS } from '@meseta/base';
import type { FieldSchema, MessageSchema } from './schema.js';

/** Fields that name roles. */
const ROLES: ReadonlySet<string> = new Set(['roles', 'suppressed_roles']);

/** The package of records that calls and messages contain; calls and messages are in other packages. */
const isRecord = ({ fullName }: MessageSchema): boolean => /^mesos\.v1\.[A-Z]/.test(fullName);

export function itemLimitOf(message: MessageSchema, field: FieldSchema): number {
  if (field.type === 'Resource') return LIMITS.resources.most;
  if (field.type === 'OfferFiltersResourceQuantities') return LIMITS.minimumSets.most;
  if (field.type === 'ValueRange') return LIMITS.ranges.most;
  if (field.type === 'Label') return LIMITS.labels.most;
  if (field.type === 'string' && ROLES.has(field.name)) return LIMITS.frameworkRoles.most;
  // The items of a set are the only long list of a record.
  if (message.name === 'ValueSet') return LIMITS.repeatedField.most;
  return isRecord(message) ? LIMITS.recordField.most : LIMITS.repeatedField.most;
}

/** Messages such as AgentID, whose `value` is the id. */
export const isIdText = (message: MessageSchema, field: FieldSchema): boolean =>
  /ID$/.test(message.name) && field.name === 'value' && field.type === 'string' && field.label === 'required';
