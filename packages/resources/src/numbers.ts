/** A decimal or hexadecimal number as flags write it; undefined for anything else, infinities too. */
export function parseNumber(text: string): number | undefined {
  const isNumber = /^[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) || /^0x[0-9a-f]+$/i.test(text);
  const number = Number(text);
  return isNumber && Number.isFinite(number) ? number : undefined;
}
