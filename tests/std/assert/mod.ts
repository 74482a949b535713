/**
 * A thin local stand-in for `jsr:@std/assert@^1`, so that the tests run where JSR cannot be reached. It holds a subset,
 * with the names, signatures and meaning of the real package; take the `links` line out of deno.json to run on that one.
 *
 * @module
 */
import { show } from "./show.ts";

/** Thrown by every assertion of this module. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

// deno-lint-ignore no-explicit-any
type ErrorConstructor_<E extends Error> = abstract new (...args: any[]) => E;

/** A value in which an array may be given by any array-like. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/** A falsy value, as {@linkcode assertFalse} leaves it. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

function failWith(message: string, msg: string | undefined): never {
  throw new AssertionError(
    msg === undefined ? message : `${message.replace(/[.:]$/, "")}: ${msg}`,
  );
}

/** The lines of `actual` and `expected` side by side, as a minimal line diff (quadratic, so cut off for long texts). */
function diff(actual: string, expected: string): string {
  const a = actual.split("\n");
  const b = expected.split("\n");
  if (a.length * b.length > 1_000_000) return `- ${actual}\n+ ${expected}`;
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j]
        ? common[(i + 1) * width + j + 1]! + 1
        : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const out: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push(`    ${a[i]}`);
      i++;
      j++;
    } else if (
      j >= b.length ||
      (i < a.length &&
        common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      out.push(`-   ${a[i++]}`);
    } else {
      out.push(`+   ${b[j++]}`);
    }
  }
  return out.join("\n");
}

function difference(actual: unknown, expected: unknown): string {
  const [a, b] = typeof actual === "string" && typeof expected === "string" &&
      /\n/.test(actual + expected)
    ? [actual, expected]
    : [show(actual), show(expected)];
  return `\n\n    [Diff] Actual (-) / Expected (+)\n\n${diff(a, b)}\n`;
}

function isKeyed(
  value: unknown,
): value is Set<unknown> | Map<unknown, unknown> {
  return value instanceof Set || value instanceof Map;
}

function prototypesMatch(a: object, b: object): boolean {
  if (a.constructor === b.constructor) return true;
  // What another realm made, as JSON's arrays are in edge-runtime.
  if (Array.isArray(a) && Array.isArray(b)) return a.constructor?.name === b.constructor?.name;
  // As in std: an object without a prototype equals a plain one.
  return (a.constructor === Object && !b.constructor) ||
    (!a.constructor && b.constructor === Object);
}

/** Whether two values are equal, deeply: own enumerable properties, NaN like NaN, prototypes compared. */
export function equal(a: unknown, b: unknown): boolean {
  const seen = new Map<unknown, unknown>();
  return (function compare(a: unknown, b: unknown): boolean {
    if (a instanceof RegExp && b instanceof RegExp) {
      return String(a) === String(b);
    }
    if (a instanceof URL && b instanceof URL) return String(a) === String(b);
    if (a instanceof Date && b instanceof Date) {
      return Object.is(a.getTime(), b.getTime());
    }
    if (typeof a === "number" && typeof b === "number") {
      return Number.isNaN(a) && Number.isNaN(b) || a === b;
    }
    if (Object.is(a, b)) return true;
    if (
      typeof a !== "object" || typeof b !== "object" || a === null || b === null
    ) return false;
    if (!prototypesMatch(a, b)) return false;
    if (a instanceof WeakMap || a instanceof WeakSet) {
      throw new TypeError(
        `cannot compare ${a instanceof WeakMap ? "WeakMap" : "WeakSet"} instances`,
      );
    }
    if (a instanceof WeakRef && b instanceof WeakRef) {
      return compare(a.deref(), b.deref());
    }
    if (seen.get(a) === b) return true;
    if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) {
      return compare(new Uint8Array(a), new Uint8Array(b));
    }
    if (
      ArrayBuffer.isView(a) && ArrayBuffer.isView(b) &&
      a.byteLength !== b.byteLength
    ) return false;
    if (Array.isArray(a) && Array.isArray(b) && a.length !== b.length) {
      return false;
    }
    seen.set(a, b);
    if (isKeyed(a) && isKeyed(b)) {
      if (a.size !== b.size) return false;
      const rest = [...b.entries()];
      for (const [key, value] of a.entries()) {
        const at = rest.findIndex(([k, v]) => compare(key, k) && compare(value, v));
        if (at < 0) return false;
        rest.splice(at, 1);
      }
      return true;
    }
    if (
      a instanceof Error && b instanceof Error &&
      (a.message !== b.message || a.name !== b.name)
    ) return false;
    const keys = new Set([
      ...Object.keys(a),
      ...Object.keys(b),
      ...enumerableSymbols(a),
      ...enumerableSymbols(b),
    ]);
    for (const key of keys) {
      const inA = key in a;
      const inB = key in b;
      if (inA !== inB) return false;
      if (
        !compare(
          (a as Record<PropertyKey, unknown>)[key],
          (b as Record<PropertyKey, unknown>)[key],
        )
      ) return false;
    }
    return true;
  })(a, b);
}

function enumerableSymbols(value: object): symbol[] {
  return Object.getOwnPropertySymbols(value).filter((s) => Object.prototype.propertyIsEnumerable.call(value, s));
}

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Fails unless `expr` is falsy. */
export function assertFalse(
  expr: unknown,
  msg?: string,
): asserts expr is Falsy {
  if (expr) failWith(`Expected "${show(expr)}" to be falsy`, msg);
}

/** Fails unless the two are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  const message = msg === undefined ? "Values are not equal." : `Values are not equal: ${msg}`;
  throw new AssertionError(message + difference(actual, expected));
}

/** Fails if the two are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  failWith(
    `Expected actual: ${show(actual)} not to be: ${show(expected)}`,
    msg,
  );
}

/** Fails unless the two are the same by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const suffix = msg === undefined ? "" : `: ${msg}`;
  if (show(actual) === show(expected)) {
    throw new AssertionError(
      `Values have the same structure but are not reference-equal${suffix}\n\n    ${show(actual)}\n`,
    );
  }
  throw new AssertionError(
    `Values are not strictly equal${suffix || "."}${difference(actual, expected)}`,
  );
}

/** Fails if the two are the same by `Object.is`. */
export function assertNotStrictEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!Object.is(actual, expected)) return;
  failWith(
    `Expected "actual" to not be strictly equal to: ${show(expected)}`,
    msg,
  );
}

/** Fails if `actual` is null or undefined. */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    failWith(`Expected actual: "${actual}" to not be null or undefined`, msg);
  }
}

/** Fails unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<
  T extends abstract new (...args: never[]) => unknown,
>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  const expected = expectedType.name;
  const found = actual === null
    ? "null"
    : typeof actual === "object"
    ? actual.constructor?.name ?? "Object"
    : typeof actual;
  const detail = actual instanceof Error ? ` (${actual.name}: ${actual.message})` : "";
  failWith(
    found === "function" || typeof actual !== "object"
      ? `Expected object to be an instance of "${expected}" but was "${found}"`
      : `Expected object to be an instance of "${expected}" but was not an instanced object of it: "${found}"${detail}`,
    msg || undefined,
  );
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  failWith(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
}

/** Fails unless `actual` matches `expected`. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (expected.test(actual)) return;
  failWith(`Expected actual: "${actual}" to match: "${expected}"`, msg);
}

/** Fails unless every element of `expected` is deeply equal to one of `actual`. */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const all = Array.from(actual);
  const missing = Array.from(expected).filter((e) => !all.some((a) => equal(a, e)));
  if (missing.length === 0) return;
  failWith(
    `Expected actual: "${show(actual)}" to include: "${show(expected)}"\nmissing: ${show(missing)}`,
    msg,
  );
}

/** Fails unless `actual` has every property of `expected`, deeply; other properties of `actual` are ignored. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  const narrowed = narrow(actual, expected, new Map());
  if (equal(narrowed, expected)) return;
  const message = msg === undefined ? "Values are not equal." : `Values are not equal: ${msg}`;
  throw new AssertionError(message + difference(narrowed, expected));
}

/** `actual` cut down to the properties that `expected` names. */
function narrow(
  actual: unknown,
  expected: unknown,
  seen: Map<object, unknown>,
): unknown {
  if (
    typeof actual !== "object" || typeof expected !== "object" ||
    actual === null || expected === null
  ) return actual;
  if (
    actual instanceof RegExp || actual instanceof Date ||
    actual instanceof Error || ArrayBuffer.isView(actual)
  ) {
    return actual;
  }
  const known = seen.get(actual);
  if (known !== undefined) return known;
  if (Array.isArray(actual)) {
    if (!Array.isArray(expected)) return actual;
    const out: unknown[] = [];
    seen.set(actual, out);
    actual.slice(0, expected.length).forEach((value, i) => out.push(narrow(value, expected[i], seen)));
    return out;
  }
  if (actual instanceof Map) {
    if (!(expected instanceof Map)) return actual;
    return new Map(
      [...actual].filter(([k]) => expected.has(k)).map((
        [k, v],
      ) => [k, narrow(v, expected.get(k), seen)]),
    );
  }
  if (actual instanceof Set) {
    return expected instanceof Set ? new Set([...actual].filter((v) => expected.has(v))) : actual;
  }
  const out: Record<PropertyKey, unknown> = Object.create(
    Object.getPrototypeOf(expected),
  );
  seen.set(actual, out);
  for (
    const key of [...Object.keys(expected), ...enumerableSymbols(expected)]
  ) {
    if (!(key in actual)) continue;
    const value = narrow(
      (actual as Record<PropertyKey, unknown>)[key],
      (expected as Record<PropertyKey, unknown>)[key],
      seen,
    );
    Object.defineProperty(out, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return out;
}

/** Fails unless `actual` > `expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) {
    failWith(`Expect ${show(actual)} > ${show(expected)}`, msg);
  }
}

/** Fails unless `actual` >= `expected`. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual >= expected)) {
    failWith(`Expect ${show(actual)} >= ${show(expected)}`, msg);
  }
}

/** Fails unless `actual` < `expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) {
    failWith(`Expect ${show(actual)} < ${show(expected)}`, msg);
  }
}

/** Fails unless `actual` <= `expected`. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual <= expected)) {
    failWith(`Expect ${show(actual)} <= ${show(expected)}`, msg);
  }
}

/** Fails unless the two numbers differ by at most `tolerance` (one ten-millionth of `expected`, unless given). */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ??
    (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  const delta = Math.abs(expected - actual);
  if (delta <= allowed) return;
  failWith(
    `Expected actual: "${actual}" to be close to "${expected}": delta "${delta}" is greater than "${allowed}"`,
    msg,
  );
}

/** Fails. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${msg ? `: ${msg}` : "."}`);
}

/** Fails: for code that must not be reached. */
export function unreachable(msg?: string): never {
  throw new AssertionError(
    msg === undefined ? "Unreachable." : `Unreachable: ${msg}`,
  );
}

/** Fails unless `error` is an `ErrorClass` whose message holds `msgIncludes`. */
function checkError<E extends Error>(
  error: unknown,
  ErrorClass: ErrorConstructor_<E> | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): asserts error is E {
  if (ErrorClass && !(error instanceof ErrorClass)) {
    const found = error instanceof Error ? `${error.constructor.name}": "${error.message}` : show(error);
    failWith(
      `Expected error to be instance of "${ErrorClass.name}", but was "${found}"`,
      msg,
    );
  }
  if (
    msgIncludes !== undefined &&
    !(error instanceof Error && stripAnsi(error.message).includes(msgIncludes))
  ) {
    const found = error instanceof Error ? error.message : show(error);
    failWith(
      `Expected error message to include ${show(msgIncludes)}, but got ${show(found)}`,
      msg,
    );
  }
}

function stripAnsi(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}

/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an `ErrorClass` whose message holds `msgIncludes`; returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClassOrMsg?: ErrorConstructor_<E> | string,
  msgIncludesOrMsg?: string,
  msg?: string,
): E | unknown {
  const { ErrorClass, msgIncludes, message } = overload(
    errorClassOrMsg,
    msgIncludesOrMsg,
    msg,
  );
  let thrown: { error: unknown } | undefined;
  try {
    fn();
  } catch (error) {
    thrown = { error };
  }
  if (!thrown) failWith("Expected function to throw", message);
  return checked(thrown.error, ErrorClass, msgIncludes, message);
}

/** Fails unless the promise of `fn` rejects; resolves to what it rejected with. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/** Fails unless the promise of `fn` rejects with an `ErrorClass` whose message holds `msgIncludes`; resolves to it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorConstructor_<E> | string,
  msgIncludesOrMsg?: string,
  msg?: string,
): Promise<E | unknown> {
  const { ErrorClass, msgIncludes, message } = overload(
    errorClassOrMsg,
    msgIncludesOrMsg,
    msg,
  );
  let thrown: { error: unknown } | undefined;
  let isPromise = false;
  try {
    const promise = fn();
    if (
      typeof (promise as PromiseLike<unknown> | undefined)?.then === "function"
    ) {
      isPromise = true;
      await promise;
    } else {
      throw new AssertionError("Expected function to return a promise");
    }
  } catch (error) {
    if (!isPromise) {
      if (error instanceof AssertionError) throw error;
      failWith("Function throws when expected to reject", message);
    }
    thrown = { error };
  }
  if (!thrown) failWith("Expected function to reject", message);
  return checked(thrown.error, ErrorClass, msgIncludes, message);
}

function overload<E extends Error>(
  errorClassOrMsg: ErrorConstructor_<E> | string | undefined,
  msgIncludesOrMsg: string | undefined,
  msg: string | undefined,
): {
  ErrorClass?: ErrorConstructor_<E>;
  msgIncludes?: string;
  message?: string;
} {
  if (typeof errorClassOrMsg === "string") return { message: errorClassOrMsg };
  return {
    ErrorClass: errorClassOrMsg,
    msgIncludes: msgIncludesOrMsg,
    message: msg,
  };
}

function checked<E extends Error>(
  error: unknown,
  ErrorClass: ErrorConstructor_<E> | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): unknown {
  if (ErrorClass) checkError(error, ErrorClass, msgIncludes, msg);
  return error;
}
