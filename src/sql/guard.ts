/**
 * The tokens by which a guard's error message says what failed. They carry ordinals only, never keys or values: servers
 * log messages.
 *
 * @module
 */
import type { GuardFailure } from "./dialect.ts";

/** The beginning of the token of a stale row; its ordinal, a colon and how many there are must follow. */
export function staleToken(step: number): string {
  return `ledge:stale:${step}:`;
}

/** The token of a condition that does not hold. */
export function requireToken(step: number): string {
  return `ledge:require:${step}`;
}

const FAILURE = /ledge:(?:stale:(\d+):(\d+):(\d+)|require:(\d+))/;

/** What an error message says of a failed guard. */
export function guardFailure(message: string): GuardFailure | null {
  const found = FAILURE.exec(message);
  if (!found) return null;
  const [, step, row, count, required] = found;
  if (required !== undefined) return { kind: "require", step: Number(required) };
  return { kind: "stale", step: Number(step), row: Number(row), count: Number(count) };
}
