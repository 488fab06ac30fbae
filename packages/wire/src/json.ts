// JSON text in Mesos' form, for the generated writers and for hand-written views.

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON escapes
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/** A JSON string with its quotes. */
export function jsonString(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** A number as JSON.stringify writes it; for integers in views. */
export function jsonNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : 'null';
}

/** A protobuf int32 or int64: all digits, limited to the range of 64 bits. */
export function jsonSigned(value: number | bigint): string {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
  if (value >= 0x8000000000000000) return '9223372036854775807';
  if (value <= -0x8000000000000000) return '-9223372036854775808';
  return String(BigInt(Math.trunc(value)));
}

/** A protobuf uint32 or uint64: all digits, limited to the range of 64 bits. */
export function jsonUnsigned(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  return value >= 0x10000000000000000 ? '18446744073709551615' : String(BigInt(Math.trunc(value)));
}

/**
 * A protobuf double as Mesos prints it: the fewest digits that give the same value, and always a fraction or an exponent
 * (`32.0`, `0.1`, `1e21`), because clients in Python and Ruby distinguish it from an integer by that. An infinity is a
 * string, as Mesos reads it; NaN is null.
 */
export function jsonDouble(value: number): string {
  if (Number.isInteger(value)) {
    if (Math.abs(value) < 1e21) return Object.is(value, -0) ? '-0.0' : `${value}.0`;
    return String(value).replace('e+', 'e');
  }
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'null' : `"${value}"`;
}

/** A list whose elements are written by `write`. */
export function jsonArray<T>(values: readonly T[], write: (value: T) => string): string {
  let text = '[';
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ',';
    text += write(values[i] as T);
  }
  return `${text}]`;
}

/** A map field whose values are written by `write`. */
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

/** The fields of an object in order; undefined for a field that is omitted. */
export type JsonFields = readonly (readonly [name: string, json: string | undefined])[];

/** An object of the fields that are not undefined. */
export function jsonObject(fields: JsonFields): string {
  let text = '{';
  for (const [name, json] of fields) {
    if (json === undefined) continue;
    if (text.length > 1) text += ',';
    text += `${jsonString(name)}:${json}`;
  }
  return `${text}}`;
}

/** The JSON text of a value that may be unset; undefined if it is, so that `jsonObject` omits its field. */
export const jsonIfSet = <T>(value: T | undefined, write: (value: T) => string): string | undefined =>
  value === undefined ? undefined : write(value);
