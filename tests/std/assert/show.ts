/**
 * Values as text, for the messages of assertions: as Deno shows them, and in other runtimes, where the tests run too, as
 * JSON does with the types that it lacks.
 *
 * @module
 */

/** Deno, where this is Deno. */
const { Deno: deno } = globalThis as { Deno?: { inspect(value: unknown, options: object): string } };

/** A value as text. */
export function show(value: unknown): string {
  const options = { depth: 20, sorted: true, iterableLimit: 200, breakLength: 100, strAbbreviateSize: 10_000 };
  return deno === undefined ? plain(value, "", []) : deno.inspect(value, options);
}

function plain(value: unknown, indent: string, within: readonly object[]): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (within.includes(value)) return "[Circular]";
  if (value instanceof Date) return `Date ${value.getTime()}`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const deeper = [...within, value];
  const inner = `${indent}  `;
  const list = (values: readonly unknown[]): string[] => values.map((one) => plain(one, inner, deeper));
  const lines = (open: string, parts: readonly string[], close: string): string =>
    parts.join().length < 80 && !parts.some((part) => part.includes("\n"))
      ? `${open}${parts.join(", ")}${close}`
      : `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}`;
  if (value instanceof Map) return lines("Map {", list([...value]), "}");
  if (value instanceof Set) return lines("Set {", list([...value]), "}");
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return lines("[", list([...value as unknown[]]), "]");
  const properties = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  const name = value.constructor === Object ? "" : `${value.constructor?.name ?? "[no prototype]"} `;
  return lines(`${name}{ `, properties.map(([key, one]) => `${key}: ${plain(one, inner, deeper)}`), " }");
}
