/**
 * What the database took of a request, for its `Server-Timing` header.
 *
 * @module
 */
import type { Session } from "../session/session.ts";

/** Adds up what a session sends. */
export class DatabaseTime {
  #duration = 0;
  #requests = 0;
  #statements = 0;

  /** Counts what this session sends from now on. */
  readonly watch = (session: Session): void => {
    session.on("afterExecute", ({ requests, duration }) => {
      this.#statements++;
      this.#requests += requests;
      if (requests > 0) this.#duration += duration; // those that travelled together share it
    });
  };

  /** An entry of the header, as of now. */
  entry(metric: string): string {
    const [requests, statements] = [count(this.#requests, "request"), count(this.#statements, "statement")];
    return `${metric};dur=${this.#duration.toFixed(1)};desc="${requests}, ${statements}"`;
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
