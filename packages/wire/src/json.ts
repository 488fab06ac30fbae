// JSON text the way Mesos prints it, for the generated writers and for views written by hand.

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON escapes
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/** A JSON string with its quotes. */
export function jsonString(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** A number as JSON.stringify gives it; for counts and other integers of a view. */
export function jsonNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : 'null';
}

/** A protobuf int32 or int64: whole digits at any size, within the range of 64 bits. */
export function jsonSigned(value: number | bigint): string {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
  if (value >= 0x8000000000000000) return '9223372036854775807';
  if (value <= -0x8000000000000000) return '-9223372036854775808';
  return String(BigInt(Math.trunc(value)));
}

/** A protobuf uint32 or uint64: whole digits at any size, within the range of 64 bits. */
export function jsonUnsigned(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  return value >= 0x10000000000000000 ? '18446744073709551615' : String(BigInt(Math.trunc(value)));
}

/**
 * A protobuf double as Mesos prints it: the shortest digits that read back the same, and always a
 * fraction or an exponent (`32.0`, `0.1`, `1e21`), by which Python's and Ruby's clients tell it from
 * an integer. An infinity is a string, as Mesos reads it; what is not a number is null.
 */
export function jsonDouble(value: number): string {
  if (Number.isInteger(value)) {
    if (Math.abs(value) < 1e21) return Object.is(value, -0) ? '-0.0' : `${value}.0`;
    return String(value).replace('e+', 'e');
  }
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'null' : `"${value}"`;
}

/** A list, each element written by `write`. */
export function jsonArray<T>(values: readonly T[], write: (value: T) => string): string {
  let text = '[';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    text += write(values[i] as T);
  }
  return `${text}]`;
}

/** A map field, each value written by `write`. */
export function jsonMap<T>(map: Readonly<Record<string, T>>, write: (value: T) => string): string {
  let text = '{';
  for (const key of Object.keys(map)) {
    if (text.length > 1) text += ',';
    text += `${jsonString(key)}:${write(map[key] as T)}`;
  }
  return `${text}}`;
}

export function jsonBool(value: boolean): string {
  return value ? 'true' : 'false';
}

/** Of an object, in their order; `undefined` is a field that is not there. */
export type JsonFields = readonly (readonly [name: string, json: string | undefined])[];

/** An object of the fields that are there: `undefined` leaves one out. */
export function jsonObject(fields: JsonFields): string {
  let text = '{';
  for (const [name, json] of fields) {
    if (json === undefined) continue;
    if (text.length > 1) text += ',';
    text += `${jsonString(name)}:${json}`;
  }
  return `${text}}`;
}

/** The value written, or undefined where there is none. */
export const present = <T>(value: T | undefined, write: (value: T) => string): string | undefined =>
  value === undefined ? undefined : write(value);
