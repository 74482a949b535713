/**
 * Events of a session.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";

/** Something that succeeded and deserves a look. */
export interface SessionWarning {
  /** What was found. */
  readonly message: string;
}

/** The events of a session, by name, with what their handlers are given. */
export interface SessionEvents {
  /** Rows of unversioned models that were to be deleted were gone already; the commit stands. */
  readonly warning: SessionWarning;
}

/** Handles an event; may be async: the next handler runs when it is done. */
export type EventHandler<N extends keyof SessionEvents> = (event: SessionEvents[N]) => void | Promise<void>;

const NAMES: readonly (keyof SessionEvents)[] = ["warning"];

/** The handlers of one session. */
export class Events {
  readonly #handlers: Map<keyof SessionEvents, Set<EventHandler<never>>> = new Map();

  on<N extends keyof SessionEvents>(name: N, handler: EventHandler<N>): void {
    if (!NAMES.includes(name)) {
      throw new ValidationError(`There is no event ${JSON.stringify(name)}; there is ${NAMES.join(", ")}`);
    }
    let handlers = this.#handlers.get(name);
    if (handlers === undefined) this.#handlers.set(name, handlers = new Set());
    handlers.add(handler);
  }

  off<N extends keyof SessionEvents>(name: N, handler: EventHandler<N>): void {
    this.#handlers.get(name)?.delete(handler);
  }

  /** Runs the handlers of an event in the order they were added. */
  async emit<N extends keyof SessionEvents>(name: N, event: SessionEvents[N]): Promise<void> {
    for (const handler of this.#handlers.get(name) ?? []) await (handler as EventHandler<N>)(event);
  }
}
