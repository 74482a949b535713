/**
 * The MariaDB connections behind a PlanetScale front, as vttablet keeps them: a pool for single statements, and those held by
 * id for a transaction or for what a session changed in one (`SET`, a temporary table, a named lock). A transaction that is
 * open for too long is killed; one whose client went away is too.
 *
 * @module
 */
import { type MysqlConnection, MysqlError } from "./planetscale_connection.ts";
import { type Answer, printedDuration, printedTime, transactionError } from "./planetscale_wire.ts";

/** How the connections are. */
export interface TabletOptions {
  readonly keyspace: string;
  /** A transaction that is open for longer, in milliseconds, is killed when nothing runs in it. */
  readonly transactionTimeout: number;
  readonly open: () => Promise<MysqlConnection>;
  /** Given what goes on in the background, to wait for. */
  readonly track: (work: Promise<unknown>) => void;
}

/** A connection that a session holds. */
interface Held {
  readonly connection: MysqlConnection;
  inTransaction: boolean;
  reserved: boolean;
  isBusy: boolean;
  /** Why it is to be killed once the call that runs in it is done. */
  doomed?: string;
  timer?: ReturnType<typeof setTimeout>;
}

export class Tablet {
  readonly #options: TabletOptions;
  readonly #idle: MysqlConnection[] = [];
  readonly #held = new Map<string, Held>();
  /** What became of the held ones that are no more. Vitess forgets them after a while and says "not found" then. */
  readonly #ended = new Map<string, string>();
  #lastId = BigInt(Date.now()) * 1_000_000n;
  #isStopped = false;

  constructor(options: TabletOptions) {
    this.#options = options;
  }

  /** Transactions that are open now. */
  get transactions(): number {
    return [...this.#held.values()].filter(({ inTransaction }) => inTransaction).length;
  }

  /** Connections that are held now, for a transaction or a session. */
  get held(): number {
    return this.#held.size;
  }

  /** Runs one text on a connection of the pool, after another if that is given. */
  async single(sql: string, first: string | undefined, onGone: (cancel: () => void) => void): Promise<Answer> {
    const connection = this.#idle.pop() ?? await this.#options.open();
    onGone(() => this.#kill(connection));
    let isLost = false;
    try {
      if (first !== undefined) await connection.run(first);
      return await connection.run(sql);
    } catch (error) {
      isLost = error instanceof MysqlError && error.isLost;
      throw error;
    } finally {
      if (isLost) connection.destroy();
      else if (this.#isStopped) await connection.end();
      else this.#idle.push(connection);
    }
  }

  /** Holds a connection, and gives its id. */
  async hold(): Promise<string> {
    const connection = this.#idle.pop() ?? await this.#options.open();
    return this.#keep({ connection, inTransaction: false, reserved: false, isBusy: false });
  }

  /** Begins a transaction on a held connection. Its time runs from here. */
  async begin(id: string, sql: string): Promise<void> {
    const held = this.#get(id);
    await this.run(id, sql, () => {});
    held.inTransaction = true;
    const { transactionTimeout: ms } = this.#options;
    held.timer = setTimeout(() => this.#end(id, `exceeded timeout: ${printedDuration(ms)}`), ms);
  }

  /** Marks that a session changed something in it, so that it outlives the transaction. */
  reserve(id: string): void {
    this.#get(id).reserved = true;
  }

  /** Runs one text on a held connection. */
  async run(id: string, sql: string, onGone: (cancel: () => void) => void): Promise<Answer> {
    const held = this.#get(id);
    if (held.isBusy) throw transactionError(this.#options.keyspace, id, "in use: for query");
    held.isBusy = true;
    onGone(() => {
      this.#end(id, "unlocked closed connection");
      this.#kill(held.connection);
    });
    try {
      return await held.connection.run(sql);
    } catch (error) {
      if (error instanceof MysqlError && error.isLost) held.doomed ??= "unlocked closed connection";
      throw error;
    } finally {
      held.isBusy = false;
      if (held.doomed !== undefined) this.#end(id, held.doomed);
    }
  }

  /** Commits or rolls back, and gives the id under which the connection is held on, if it is. */
  async conclude(id: string, sql: "COMMIT" | "ROLLBACK"): Promise<string | undefined> {
    const { isBusy, timer } = this.#get(id);
    if (!isBusy) clearTimeout(timer); // The killer leaves what is being concluded alone.
    try {
      await this.run(id, sql, () => {});
    } catch (error) {
      if (this.#held.has(id) && !this.#held.get(id)!.isBusy) this.#end(id, "transaction rolled back");
      throw error;
    }
    const held = this.#get(id);
    clearTimeout(held.timer);
    this.#held.delete(id);
    this.#note(id, sql === "COMMIT" ? "transaction committed" : "transaction rolled back");
    held.inTransaction = false;
    if (held.reserved) return this.#keep(held);
    if (this.#isStopped) await held.connection.end();
    else this.#idle.push(held.connection);
    return undefined;
  }

  /** Closes everything. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const held = [...this.#held.values()];
    for (const { timer } of held) clearTimeout(timer);
    this.#held.clear();
    const all = [...this.#idle.splice(0), ...held.map(({ connection }) => connection)];
    await Promise.all(all.map((connection) => connection.end()));
  }

  #keep(held: Held): string {
    const id = String(++this.#lastId);
    this.#held.set(id, held);
    return id;
  }

  #get(id: string): Held {
    const held = this.#held.get(id);
    if (held !== undefined) return held;
    throw transactionError(this.#options.keyspace, id, this.#ended.get(id) ?? "not found");
  }

  #note(id: string, why: string): void {
    this.#ended.set(id, `ended at ${printedTime(new Date())} (${why})`);
  }

  /** Drops a held connection, at once or when the call that runs in it is done, and with it its transaction. */
  #end(id: string, why: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    if (held.isBusy) {
      held.doomed ??= why;
      return;
    }
    clearTimeout(held.timer);
    this.#held.delete(id);
    this.#note(id, why);
    this.#kill(held.connection);
  }

  /** Ends a connection at the server, whatever runs in it; its locks are free when this is settled. */
  #kill(connection: MysqlConnection): void {
    const killing = (async () => {
      const other = await this.#options.open();
      await other.run(`KILL ${connection.id}`).catch(() => {});
      const left = `SELECT 1 FROM information_schema.processlist WHERE id = ${connection.id}`;
      for (const end = Date.now() + 5000; Date.now() < end; await new Promise((done) => setTimeout(done, 5))) {
        const answer = await other.run(left);
        if ("rows" in answer && answer.rows.length === 0) break;
      }
      await other.end();
      connection.destroy();
    })().catch(() => connection.destroy());
    this.#options.track(killing);
  }
}
