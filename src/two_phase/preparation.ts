/**
 * Two-phase commit with presumed abort (Mohan, Lindsay and Obermarck, "Transaction management in the R* distributed database
 * management system", 1986). The first database is the coordinator: its part holds the row that decides, is prepared before
 * the others, and committed before them. Whoever finds parts of which the coordinator has neither part nor row undoes them.
 *
 * @module
 */
import type { CallOptions, Connection, PreparableConnection } from "../database.ts";
import { CommitOutcomeUnknownError, InvalidStateError, TransactionLostError, UnsupportedError } from "../errors.ts";
import { findRecord, settleRecord, writeRecord } from "../execution/commit_record.ts";
import type { Branch } from "../session/branch.ts";
import type { Ending } from "../session/ending.ts";
import { nameOf } from "./names.ts";
import { end, isPrepared, type Part } from "./part.ts";
import { requireIdentity, SELF } from "./table.ts";

/** A branch that is to be prepared. */
interface Participant extends Part {
  readonly branch: Branch;
  connection: PreparableConnection | null;
}

/** Prepares the branches of a session under one id. */
export class Preparation {
  readonly id: string;
  #participants: Participant[] = [];
  /** Which database decides. */
  #coordinator = "";

  constructor(id: string) {
    this.id = id;
  }

  /** Takes the branches that write, and makes them open connections that can be prepared. Throws where one cannot be. */
  async begin(branches: readonly Branch[], options: CallOptions): Promise<void> {
    const [first] = branches;
    if (first === undefined) return;
    for (const { database, connection } of branches) {
      if (database.twoPhase === undefined) {
        throw new UnsupportedError(
          `${database.description} has no two-phase commit; commit what is of it on its own, and the rest with prepare()`,
        );
      }
      if (connection !== null) {
        throw new InvalidStateError(
          `${database.description} has an open connection, which cannot be prepared: let prepare() be what writes first; ` +
            "no flush(), execute() of a write, lock or start() before it",
        );
      }
    }
    const coordinator = this.#coordinator = await requireIdentity(first.database, options);
    this.#participants = branches.map((branch, number): Participant => {
      const name = nameOf({ id: this.id, number, coordinator });
      const one: Participant = { branch, database: branch.database, name, connection: null };
      branch.connectBy = async (how): Promise<Connection> =>
        one.connection = await branch.database.twoPhase!.connect(name, how);
      return one;
    });
  }

  /** Prepares all of them, when everything is written. */
  async prepare(options: CallOptions): Promise<Ending> {
    const [first] = this.#participants;
    if (first === undefined) return new Nothing();
    for (const { branch } of this.#participants) await branch.connect("prepare()", options);
    const { branch: { database: { dialect, description }, settings } } = first;
    if (settings !== null) {
      const found = await first.branch.exclusive((connection) => findRecord(connection, SELF, dialect, options));
      if (found?.result !== this.#coordinator) {
        throw new UnsupportedError(
          `With the session's settings ledge_commit of ${description} is another table than without, or cannot be read: ` +
            "whoever looks for the decision would not find it",
        );
      }
    }
    await first.branch.exclusive((connection) =>
      connection.execute(writeRecord(this.id, "committed", dialect), options)
    );
    for (const one of this.#participants) await one.branch.exclusive(() => one.connection!.prepare(options));
    return new Prepared(this.id, first, this.#participants.slice(1));
  }

  /** Undoes what was prepared, as far as it can be reached. */
  async abandon(): Promise<void> {
    const results = await Promise.allSettled(
      this.#participants.map(async (part) => part.connection !== null && await end(part, "rollback", {})),
    );
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }
}

/** Nothing was written. */
class Nothing implements Ending {
  isOpen = true;
  commit(): Promise<void> {
    this.isOpen = false;
    return Promise.resolve();
  }
  rollback(): Promise<void> {
    return this.commit();
  }
}

/** Parts that are prepared everywhere. */
class Prepared implements Ending {
  isOpen = true;
  readonly #id: string;
  readonly #coordinator: Part;
  readonly #others: readonly Part[];
  #isDecided = false;
  /** Whether a commit of the coordinator's part was sent. */
  #wasSent = false;

  constructor(id: string, coordinator: Part, others: readonly Part[]) {
    this.#id = id;
    this.#coordinator = coordinator;
    this.#others = others;
  }

  async commit(options: CallOptions): Promise<void> {
    if (!this.#isDecided) await this.#decide(options);
    const failed: { readonly part: Part; readonly error: unknown }[] = [];
    for (const part of this.#others) {
      // By now nothing may stop it: neither a signal nor a timeout.
      await end(part, "commit", {}).catch((error) => void failed.push({ part, error }));
    }
    if (failed.length > 0) {
      const where = failed.map(({ part }) => part.database.description).join(" and ");
      throw new CommitOutcomeUnknownError(
        `The commit is decided, and ${where} has not confirmed it: call commit() again, or let recover() finish it`,
        { cause: failed[0]!.error },
      );
    }
    this.isOpen = false;
  }

  async #decide(options: CallOptions): Promise<void> {
    const { database, name } = this.#coordinator;
    try {
      this.#wasSent = true;
      await database.twoPhase!.commit(name, options);
    } catch (error) {
      if (await this.#find(error) === "prepared") throw error; // it may be committed again, or rolled back
      if (!this.#isDecided) {
        await this.#undo(this.#others).catch(() => {}); // what cannot be reached now is for recover()
        this.isOpen = false;
        throw new TransactionLostError(
          "The prepared transaction was rolled back by somebody else, recover() perhaps; nothing was written",
          { cause: error },
        );
      }
    }
    this.#isDecided = true;
  }

  /** Finds out what became of the coordinator's part. */
  async #find(cause: unknown): Promise<"prepared" | "over"> {
    try {
      if (await isPrepared(this.#coordinator, {})) return "prepared";
      const { state } = await settleRecord(this.#coordinator.database, null, this.#id, {});
      this.#isDecided = state === "committed";
      return "over";
    } catch {
      throw new CommitOutcomeUnknownError(
        "The commit was sent and its answer was lost: it may or may not be decided. Call commit() or rollback() again, " +
          "which look first, or let recover() find out",
        { cause },
      );
    }
  }

  async rollback(): Promise<void> {
    if (this.#wasSent && !this.#isDecided) {
      // Once the coordinator's part is gone its row tells; until then nobody else may be told to undo theirs.
      await end(this.#coordinator, "rollback", {});
      await this.#find(null);
    }
    if (this.#isDecided) {
      throw new InvalidStateError("Cannot rollback: the commit is decided; call commit() again, which finishes it");
    }
    this.isOpen = false;
    await this.#undo([this.#coordinator, ...this.#others]);
  }

  async #undo(parts: readonly Part[]): Promise<void> {
    const results = await Promise.allSettled(parts.map((part) => end(part, "rollback", {})));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }
}
