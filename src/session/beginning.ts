/**
 * The beginning of a transaction, as its handlers see it: told with `begin()`, or with the first call that is awaited.
 *
 * @module
 */
import type { Events } from "./events.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** Follows whether the beginning of a session's transaction was told. */
export class Beginning {
  readonly #events: Events;
  readonly #lifecycle: Lifecycle;
  #wasTold = false;
  /** What waits for the handlers to start. */
  #waiting: Promise<void> | null = null;

  constructor(events: Events, lifecycle: Lifecycle) {
    this.#events = events;
    this.#lifecycle = lifecycle;
  }

  /** Whether somebody is to be told first. */
  get isDue(): boolean {
    return !this.#wasTold && this.#events.listens("beforeBegin", "afterBegin");
  }

  /**
   * Runs the handlers, with what it takes between them. They start when this turn is over, so that what else is asked for
   * in it waits with them and travels together; what they call themselves does not wait.
   */
  tell(begin: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.#waiting ??= Promise.resolve().then(async () => {
      this.#waiting = null;
      this.#wasTold = true;
      try {
        await this.#events.around("Begin", {}, (handlers) => this.#lifecycle.preparing(handlers), begin);
      } catch (error) {
        this.#wasTold = false;
        throw error;
      }
    });
    return this.#waiting;
  }

  /** The transaction is over: the next one is to be told. */
  end(): void {
    this.#wasTold = false;
  }
}
