/**
 * Events of a session: their names and what their handlers are given, the handlers, and how they are run.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { quoted } from "../model/quoted.ts";
import type { SqlValue } from "../sql/statement.ts";
import type { ObjectState } from "../state/instance_state.ts";
import type { Session } from "./session.ts";

/** What every event tells. */
export interface SessionEvent {
  /** The session that it is about. */
  readonly session: Session;
}

/** Something has been done, or has failed. */
export interface OutcomeEvent extends SessionEvent {
  /** Null, or what the call throws: a `LedgeError`, the reason of a signal that aborted, what a handler before it threw. */
  readonly error: unknown;
}

/** The commit is durable. */
export interface CommittedEvent extends SessionEvent {
  /** Always null: a commit that failed, or of which nothing is known, has no `afterCommit`. */
  readonly error: null;
}

/** Something is about to be done with a savepoint. */
export interface SavepointEvent extends SessionEvent {
  /** The savepoint's name, empty when it was given none. */
  readonly name: string;
}

/** Something has been done with a savepoint, or has failed. */
export interface SavepointOutcomeEvent extends SavepointEvent, OutcomeEvent {}

/** A statement is about to be sent. */
export interface ExecuteEvent extends SessionEvent {
  /** The statement's text, with placeholders for its values. */
  readonly statement: string;
  /** What the database is called; without credentials. */
  readonly database: string;
  /** The values, as the driver gets them; only for a handler that was added with `{ parameters: true }`. */
  readonly parameters?: readonly SqlValue[];
}

/** A statement was answered, or has failed. */
export interface ExecutedEvent extends ExecuteEvent, OutcomeEvent {
  /** Milliseconds from sending to answer; statements that travelled together share it. */
  readonly duration: number;
  /** How many rows came back. */
  readonly rows: number;
  /** How many rows were written. */
  readonly rowsAffected: number;
  /** 1 for the first statement of a request, 0 for those that travelled with it, and for one that was not sent. */
  readonly requests: number;
}

/** An instance went from one state to another. */
export interface StateChangeEvent extends SessionEvent {
  /** The instance. */
  readonly instance: object;
  /** Its state before; null for one that was just loaded. */
  readonly from: ObjectState | null;
  /** Its state now. */
  readonly to: ObjectState;
}

/** Something that did not stop what was done, and deserves a look. */
export interface SessionWarning extends SessionEvent {
  /** What was found. */
  readonly message: string;
  /** What a handler threw, where that is what the warning is about. */
  readonly error?: unknown;
}

/** The events of a session, by name, with what their handlers are given. */
export interface SessionEvents {
  /** A transaction begins: with `begin()`, or else with the first call that is awaited. */
  readonly beforeBegin: SessionEvent;
  /** It has begun. */
  readonly afterBegin: OutcomeEvent;
  /** Pending changes are about to be written, by `flush()`, a query's autoflush or a commit; not where nothing is pending. */
  readonly beforeFlush: SessionEvent;
  /** They were written; in a commit, together with it. */
  readonly afterFlush: OutcomeEvent;
  /** The transaction is about to be committed, whether anything changed or not. */
  readonly beforeCommit: SessionEvent;
  /** It is committed, for good. The session can be used again. */
  readonly afterCommit: CommittedEvent;
  /** The transaction is about to be rolled back. */
  readonly beforeRollback: SessionEvent;
  /** It was, in memory too. The session can be used again. */
  readonly afterRollback: OutcomeEvent;
  /** A savepoint is about to be set. */
  readonly beforeSavepoint: SavepointEvent;
  /** It was set. */
  readonly afterSavepoint: SavepointOutcomeEvent;
  /** A savepoint is about to be released: what was done since stays. */
  readonly beforeReleaseSavepoint: SavepointEvent;
  /** It was released. */
  readonly afterReleaseSavepoint: SavepointOutcomeEvent;
  /** What was done since a savepoint is about to be undone. */
  readonly beforeRollbackToSavepoint: SavepointEvent;
  /** It was undone, in memory too. */
  readonly afterRollbackToSavepoint: SavepointOutcomeEvent;
  /** A statement is about to be sent, whoever asked for it. */
  readonly beforeExecute: ExecuteEvent;
  /** It was answered. */
  readonly afterExecute: ExecutedEvent;
  /** An instance went from one state to another, or was loaded. */
  readonly stateChange: StateChangeEvent;
  /** Rows of unversioned models that were to be deleted were gone already, or a handler threw too late to stop anything. */
  readonly warning: SessionWarning;
}

/** Handles an event; may be async: the next handler runs when it is done. */
export type EventHandler<N extends keyof SessionEvents> = (event: SessionEvents[N]) => void | Promise<void>;

/** Options of `on`. */
export interface HandlerOptions {
  /** Whether `beforeExecute` and `afterExecute` tell the values of statements too; false unless given. */
  readonly parameters?: boolean;
}

type Name = keyof SessionEvents;

/** What has a before and an after. */
export type Action =
  | "Begin"
  | "Flush"
  | "Savepoint"
  | "ReleaseSavepoint"
  | "RollbackToSavepoint"
  | "Rollback"
  | "Commit";

const NAMES: readonly Name[] = [
  "beforeBegin",
  "afterBegin",
  "beforeFlush",
  "afterFlush",
  "beforeCommit",
  "afterCommit",
  "beforeRollback",
  "afterRollback",
  "beforeSavepoint",
  "afterSavepoint",
  "beforeReleaseSavepoint",
  "afterReleaseSavepoint",
  "beforeRollbackToSavepoint",
  "afterRollbackToSavepoint",
  "beforeExecute",
  "afterExecute",
  "stateChange",
  "warning",
];

/** A handler as it was added. */
interface Added {
  readonly name: Name;
  readonly handler: EventHandler<never>;
  readonly options: HandlerOptions;
}

/** The handlers of a session, or those that a factory gives to its sessions. */
export class Handlers {
  /** By name; a list is never changed in place, so that one may be walked while handlers are added. */
  readonly #added: Map<Name, readonly Added[]> = new Map();

  /** Adds a handler; one that is there already only gets the new options. */
  on<N extends Name>(name: N, handler: EventHandler<N>, options: HandlerOptions = {}): void {
    if (!NAMES.includes(name)) {
      throw new ValidationError(`There is no event ${quoted(name)}; there are ${NAMES.join(", ")}`);
    }
    if (typeof handler !== "function") throw new ValidationError(`A handler of ${name} must be a function`);
    for (const option of Object.keys(options)) {
      if (option !== "parameters") {
        throw new ValidationError(`A handler has no option ${JSON.stringify(option)}; there is parameters`);
      }
    }
    const one: Added = { name, handler, options };
    const before = this.of(name);
    const known = before.some((other) => other.handler === handler);
    this.#added.set(name, known ? before.map((other) => other.handler === handler ? one : other) : [...before, one]);
  }

  /** Takes a handler away. */
  off<N extends Name>(name: N, handler: EventHandler<N>): void {
    this.#added.set(name, this.of(name).filter((one) => one.handler !== handler));
  }

  /** Whether anybody listens to an event, or to another. */
  listens(name: Name, other: Name = name): boolean {
    return this.of(name).length > 0 || other !== name && this.of(other).length > 0;
  }

  /** The handlers of an event, in the order they were added. */
  of(name: Name): readonly Added[] {
    return this.#added.get(name) ?? NONE;
  }

  /** Every handler. */
  *[Symbol.iterator](): Generator<Added> {
    for (const added of this.#added.values()) yield* added;
  }
}

const NONE: readonly Added[] = [];

/** What an event tells besides its session. */
type Details<N extends Name> = Omit<SessionEvents[N], "session">;

/** The events of one session. Nothing is made and nothing is awaited where nobody listens. */
export class Events extends Handlers {
  readonly #session: Session;
  /** What a handler threw to stop something, last. */
  #veto: { readonly reason: unknown } | null = null;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  /** Runs handlers that can stop what follows: the first that throws does, and what it threw is thrown. */
  async before<N extends Name>(name: N, details: Details<N>): Promise<void> {
    for (const one of this.of(name)) {
      try {
        await this.#call(one, details);
      } catch (reason) {
        this.#veto = { reason };
        throw reason;
      }
    }
  }

  /** Stops something, as a handler that throws does, where its signal has aborted while they ran. */
  throwIfAborted(signal: AbortSignal | undefined): void {
    if (!signal?.aborted) return;
    this.#veto = { reason: signal.reason };
    throw signal.reason;
  }

  /** What is stopped from now on was not stopped before. */
  forgetVeto(): void {
    this.#veto = null;
  }

  /** Whether an error is what a handler threw to stop something: nothing was sent then. */
  isVeto(error: unknown): boolean {
    return this.#veto !== null && this.#veto.reason === error;
  }

  /** Runs handlers of what is done: every one of them; what they throw is reported. */
  async after<N extends Name>(name: N, details: Details<N>): Promise<void> {
    for (const one of this.of(name)) {
      try {
        await this.#call(one, details);
      } catch (error) {
        await this.#report(name, error);
      }
    }
  }

  /** Does something between its handlers. `prepare` runs those before it. */
  async around<T>(
    action: Exclude<Action, "Commit" | "Rollback">,
    details: { readonly name?: string },
    prepare: (handlers: () => Promise<void>) => Promise<void>,
    work: () => Promise<T>,
  ): Promise<T> {
    const [before, after] = [`before${action}`, `after${action}`] as const;
    if (!this.listens(before, after)) return await work();
    let error: unknown = null;
    try {
      if (this.listens(before)) await prepare(() => this.before(before, details as Details<typeof before>));
      return await work();
    } catch (thrown) {
      error = thrown;
      throw thrown;
    } finally {
      await this.after(after, { ...details, error } as Details<typeof after>);
    }
  }

  /** Tells a change of state, at once: a promise that a handler returns is not waited for. */
  changed(details: Details<"stateChange">): void {
    for (const one of this.of("stateChange")) {
      try {
        this.#call(one, details)?.catch((error) => this.#report("stateChange", error));
      } catch (error) {
        this.#report("stateChange", error);
      }
    }
  }

  #call({ handler, options }: Added, details: object): Promise<void> | void {
    const event = { session: this.#session, ...details } as { parameters?: unknown };
    if (options.parameters !== true) delete event.parameters;
    return handler(event as never);
  }

  /** What a handler threw when nothing could be stopped any more: a warning, or on the console where nobody listens. */
  async #report(name: Name, error: unknown): Promise<void> {
    const message = `A handler of ${name} threw; what it was told of stands`;
    if (name === "warning" || !this.listens("warning")) console.error(message, error);
    else await this.after("warning", { message, error });
  }
}
