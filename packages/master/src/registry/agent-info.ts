// An agent's info as the registry keeps it: JSON text that is read when somebody looks.
//
// Boundary: nothing here reads an info to compare or to write it; 50,000 of them come with one election.
// AGENT-INFO-1: equal infos are the same text, so that `===` says whether an agent's info has changed.
// AGENT-INFO-2: what was encoded is read back, with the defaults of Mesos' schema where it said nothing.
import { assert } from '@meseta/base';
import type { AgentInfo } from '@meseta/wire';
import { AgentInfoCodec } from '@meseta/wire/codecs';

declare const encoded: unique symbol;
export type EncodedAgentInfo = string & { readonly [encoded]: true };

const OPENING_BRACE = 0x7b;

export function encodeAgentInfo(info: AgentInfo): EncodedAgentInfo {
  const text = AgentInfoCodec.write(info);
  // Looking at a character makes V8 put the writer's pieces together, which are kept with the text otherwise.
  assert(text.charCodeAt(0) === OPENING_BRACE, 'an info is an object');
  return text as EncodedAgentInfo;
}

export function decodeAgentInfo(text: EncodedAgentInfo): AgentInfo {
  const info = AgentInfoCodec.parse(text, 'trusted');
  assert(info.ok, `the registry holds no agent info: ${text}`);
  return info.value;
}
