// An AgentInfo as the registry keeps it: JSON text that is decoded only when a caller needs its fields.
// A newly elected master recovers up to 50,000 of them; decoding all would delay its recovery.
//
// AGENT-INFO-1: equal infos are encoded as the same text, so `===` shows whether an agent's info has changed.
// AGENT-INFO-2: decoding gives the encoded info back, with the defaults of Mesos' schema for unset fields.
import { assert } from '@meseta/base';
import type { AgentInfo } from '@meseta/wire';
import { AgentInfoCodec } from '@meseta/wire/codecs';

declare const encoded: unique symbol;
export type EncodedAgentInfo = string & { readonly [encoded]: true };

const OPENING_BRACE = 0x7b;

export function encodeAgentInfo(info: AgentInfo): EncodedAgentInfo {
  const text = AgentInfoCodec.write(info);
  // Reading a character makes V8 flatten the concatenated string; otherwise the writer's fragments stay in memory.
  assert(text.charCodeAt(0) === OPENING_BRACE, 'an encoded AgentInfo is a JSON object');
  return text as EncodedAgentInfo;
}

export function decodeAgentInfo(text: EncodedAgentInfo): AgentInfo {
  const info = AgentInfoCodec.parse(text, 'trusted');
  assert(info.ok, `the registry holds an AgentInfo that cannot be decoded: ${text}`);
  return info.value;
}
