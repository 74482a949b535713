/**
 * A database whose commits meet faults of the network, by script: the answer is lost before or after the request arrived, or
 * it is delivered twice. For every adapter alike, as the faults are at the port.
 *
 * @module
 */
import { type CallOptions, type Connection, ConnectionError, type Database, type Statement } from "../../mod.ts";

/** What happens to a request that may write for good. */
export type Fault =
  | "ok"
  /** It is lost on its way. */
  | "before"
  /** It arrives, its answer is lost. */
  | "after"
  /** It arrives twice, the second answer comes back. */
  | "twice"
  /** It is lost for now, and delivered when `deliver()` is called. */
  | "late"
  /** The connection is refused, so that nothing was sent. */
  | "refused";

/** A database with faults. */
export interface Faulty {
  readonly db: Database;
  /** What happens to the next requests; "ok" when none is left. */
  readonly faults: Fault[];
  /** The texts of what writes for good, by request. */
  readonly sent: string[][];
  /** Delivers what was late; tells whether each was applied. */
  deliver(): Promise<boolean[]>;
}

/** Puts faults before a database. `commit`s on connections cannot be late. */
export function faulty(inner: Database): Faulty {
  const faults: Fault[] = [];
  const sent: string[][] = [];
  const late: (() => Promise<unknown>)[] = [];
  const lost = () => new ConnectionError("The connection broke", { notApplied: false });
  async function meet<T>(statements: readonly Statement[], send: () => Promise<T>): Promise<T> {
    sent.push(statements.map(({ sql }) => sql));
    const fault = faults.shift() ?? "ok";
    if (fault === "refused") throw new ConnectionError("The connection was refused");
    if (fault === "late") late.push(send);
    if (fault === "before" || fault === "late") throw lost();
    if (fault === "twice") await send().catch(() => {});
    const answer = await send();
    if (fault === "after") throw lost();
    return answer;
  }
  const connection = (one: Connection): Connection => ({
    database: inner,
    native: null,
    execute: (statement, options) => one.execute(statement, options),
    batch: (statements, options) => one.batch(statements, options),
    savepoint: (name, options) => one.savepoint(name, options),
    release: (name, options) => one.release(name, options),
    rollbackTo: (name, options) => one.rollbackTo(name, options),
    commit(last = [], options) {
      if (faults[0] === "twice") faults[0] = "ok"; // a connection is a conversation: it cannot be held twice
      return meet(last, () => one.commit(last, options));
    },
    rollback: (options) => one.rollback(options),
  });
  const isRead = ({ sql }: Statement) => /^SELECT/i.test(sql);
  const db: Database = {
    dialect: inner.dialect,
    capabilities: inner.capabilities,
    description: inner.description,
    execute: (statement, options) =>
      isRead(statement)
        ? inner.execute(statement, options)
        : meet([statement], () => inner.execute(statement, options)),
    async connect(options) {
      return connection(await inner.connect(options));
    },
    close: () => inner.close(),
  };
  if (inner.batch !== undefined) {
    const batch = (statements: readonly Statement[], options?: CallOptions) =>
      statements.every(isRead)
        ? inner.batch!(statements, options)
        : meet(statements, () => inner.batch!(statements, options));
    Object.assign(db, { batch });
  }
  return {
    db,
    faults,
    sent,
    deliver: () => Promise.all(late.splice(0).map((send) => send().then(() => true, () => false))),
  };
}
