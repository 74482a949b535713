/**
 * Which fault befalls which request: by chance, the same for the same seed and the request's ordinal, or by a script. Knows
 * nothing of sockets.
 *
 * @module
 */

/**
 * What can go wrong with a request:
 *
 * - `refuse`: the server restarts. The connection closes with nothing forwarded, and for a while new ones are refused.
 * - `drop before`, `drop after`: the connection closes with nothing forwarded, or when the answer is there.
 * - `cut`: half of the answer, then the connection closes.
 * - `503 before`, `503 after`, …: this status instead, with nothing forwarded, or after the work was done.
 * - `delay`: it arrives a little later, so that it overtakes or is overtaken.
 * - `late`: it arrives long after the client has given up.
 * - `duplicate`: it is answered, and a copy arrives a little later.
 * - `double send`: it arrives twice, and the client sees the second answer, as with Deno's `fetch`.
 */
export const faults = [
  ...["refuse", "drop before", "drop after", "cut"] as const,
  ...["500 before", "502 before", "503 before", "429 before"] as const,
  ...["500 after", "502 after", "503 after", "429 after"] as const,
  ...["delay", "late", "duplicate", "double send"] as const,
] as const;

export type Fault = typeof faults[number];

/** How likely each fault is; together at most 1. */
export type Chances = Readonly<Partial<Record<Fault, number>>>;

/** A request that a fault may befall. */
export interface Asked {
  /** The how-manieth it is, from 0. */
  readonly ordinal: number;
  /** Its path over HTTP; empty for bytes. */
  readonly path: string;
  /** What it says, as text. */
  readonly text: string;
}

/** Decides on each request; undefined where chance decides, "none" where nothing is to happen. */
export type Script = (asked: Asked) => Fault | "none" | undefined;

/** How faults are chosen. */
export interface PlanOptions {
  /** The same seed gives the same faults to the same ordinals; 1 unless given. */
  readonly seed?: number;
  readonly chances?: Chances;
  readonly script?: Script;
}

/** Numbers from 0 up to 1 that follow from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Decides, and counts what it decided. */
export class FaultPlan {
  readonly #seed: number;
  readonly #chances: readonly (readonly [Fault, number])[];
  readonly #script: Script;
  #ordinal = 0;
  /** Set to let everything through, uncounted. */
  isPaused = false;

  constructor({ seed = 1, chances = {}, script = () => undefined }: PlanOptions) {
    this.#seed = seed;
    this.#chances = faults.flatMap((fault) => chances[fault] === undefined ? [] : [[fault, chances[fault]] as const]);
    this.#script = script;
    const sum = this.#chances.reduce((total, [, chance]) => total + chance, 0);
    if (sum > 1 + 1e-9 || this.#chances.some(([, chance]) => !(chance >= 0))) {
      throw new RangeError(`Chances are 0 or more each and at most 1 together, got ${sum}`);
    }
  }

  /** How many requests were decided on. */
  get requests(): number {
    return this.#ordinal;
  }

  /** What befalls the next request, and a number from 0 up to 1 that says how long it takes. */
  next(path: string, text: () => string): { readonly fault: Fault | undefined; readonly span: number } {
    if (this.isPaused) return { fault: undefined, span: 0 };
    const ordinal = this.#ordinal++;
    const random = randomOf(Math.imul(this.#seed, 0x9e3779b1) ^ Math.imul(ordinal, 0x85ebca6b));
    const scripted = this.#script({
      ordinal,
      path,
      get text(): string {
        return text();
      },
    });
    const fault = scripted === undefined ? this.#drawn(random()) : scripted === "none" ? undefined : scripted;
    return { fault, span: random() };
  }

  #drawn(number: number): Fault | undefined {
    let sum = 0;
    for (const [fault, chance] of this.#chances) {
      sum += chance;
      if (number < sum) return fault;
    }
    return undefined;
  }
}
