/** How the numbers of a gene choose among what is there. */
import type { Run } from "./harness.ts";

/** Does something, and says what; false when there is nothing to do it to. */
export type Operation = (run: Run, a: number, b: number, c: number) => Promise<boolean> | boolean;

/** The keys of all authors that there can be. */
export const AUTHORS: readonly string[] = [1, 2, 3, 4].map((n) => `0190a000-0000-7000-8000-00000000000${n}`);

/** The unique values that authors share. */
export const EMAILS: readonly (string | null)[] = [null, "a@x", "b@x", "c@x"];

/** The moment that authors are born at. */
export const EPOCH: number = Date.UTC(2024, 0, 1);

/** One of several; undefined of none. */
export function pick<T>(from: readonly T[], n: number): T | undefined {
  return from[n % from.length];
}

/** What a new author is made with. */
export interface AuthorValues {
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
  readonly born: Date;
  readonly meta: { n: number; list: number[] };
}

/** What a new author is made with. */
export function authorValues(key: number, email: number, name: string): AuthorValues {
  return {
    id: pick(AUTHORS, key)!,
    name,
    email: pick(EMAILS, email)!,
    born: new Date(EPOCH),
    meta: { n: 1, list: [] },
  };
}
