/**
 * The sessions that a factory has made and that are not closed. Held weakly: a session that nobody uses any more, closed
 * or not, is not kept in memory for it.
 *
 * @module
 */
import { UnsupportedError } from "../errors.ts";
import type { Session } from "./session.ts";

/** How many there may be before the first look for those that are gone. */
const FIRST_LOOK = 64;

/** The sessions of a factory. */
export class MadeSessions {
  #sessions: WeakRef<Session>[] = [];
  #nextLook = FIRST_LOOK;

  /** How many are remembered, those included that are gone since the last look. */
  get size(): number {
    return this.#sessions.length;
  }

  /** Adds one; a few microseconds, those that are gone being looked for each time their number has doubled. */
  add(session: Session): void {
    if (typeof WeakRef === "undefined") return;
    if (this.#sessions.length >= this.#nextLook) {
      this.#sessions = this.#sessions.filter((one) => isOpen(one.deref()));
      this.#nextLook = Math.max(FIRST_LOOK, 2 * this.#sessions.length);
    }
    this.#sessions.push(new WeakRef(session));
  }

  /** Ends those that are there, side by side. */
  async closeAll(): Promise<void> {
    if (typeof WeakRef === "undefined") {
      throw new UnsupportedError("closeAll() needs WeakRef, which this runtime does not have; close each session");
    }
    const open = this.#sessions.map((one) => one.deref()).filter(isOpen);
    this.#sessions = [];
    await Promise.all(open.map((session) => session[Symbol.asyncDispose]()));
  }
}

function isOpen(session: Session | undefined): session is Session {
  return session !== undefined && session.state !== "closed";
}
