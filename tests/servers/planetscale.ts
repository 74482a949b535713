/**
 * A thin front for a real MariaDB with the surface of PlanetScale's HTTP interface: `POST /psdb.v1alpha1.Database/Execute`
 * and `/CreateSession`. A stand-in, so that tests and benchmarks can count requests, add latency and inject faults:
 * statements, locks and errors are MariaDB's own, and what the service adds to them is done as Vitess's source does it, as
 * far as `@planetscale/database` uses it. It is no MySQL and no Vitess: there is one shard, and a text is not parsed.
 *
 * ```ts ignore
 * await using front = await startFront({ latency: 20 });
 * const client = new Client({ url: front.url });
 * ```
 *
 * Calls at once on one session are not queued: within a transaction the second is refused with "in use: for query", as
 * vttablet does; without one each has a connection of its own.
 *
 * @module
 */
import { Front, type FrontRequest } from "./front.ts";
import { type MariadbDatabase, type Settings, startMariadb } from "./mariadb.ts";
import { MysqlConnection } from "./planetscale_connection.ts";
import { Tablet } from "./planetscale_tablet.ts";
import { isControl, newSession, type VitessSession, Vtgate } from "./planetscale_vtgate.ts";
import { resultOf, tabletError, type VitessError } from "./planetscale_wire.ts";

export { cut } from "./front.ts";

/** How to start a front; times are in milliseconds. */
export interface PlanetScaleOptions {
  /** The database behind it; a fresh one, dropped by `stop()`, unless given. */
  database?: MariadbDatabase;
  /** Added to every request. */
  latency?: number;
  /** How long a transaction may be open, from its first statement: 20,000 as in the service. */
  transactionTimeout?: number;
  /** Whether an update counts the rows that it found, as in the service (default), or those that it changed. */
  foundRows?: boolean;
  /** Set in every session at the database: `{ sql_mode: "ANSI_QUOTES", auto_increment_increment: 3 }`. */
  settings?: Settings;
  /** What a JSON column is called: MariaDB's is a LONGTEXT ("TEXT", default); the service's is "JSON". */
  json?: "JSON" | "TEXT";
  /** Whether XA goes through to MariaDB; Vitess, and the front by default, refuses it. */
  xa?: boolean;
  /** The most rows of a result: 100,000 as in the service. */
  maxRows?: number;
  /** What errors of the database carry as `code`: always UNKNOWN as the service was seen to (default), or gRPC's. */
  codes?: "UNKNOWN" | "grpc";
}

/** One counted request. */
export interface PlanetScaleLogEntry {
  readonly kind: "Execute" | "CreateSession";
  /** The text as it came, with its values in it; empty for CreateSession. */
  readonly sql: string;
  /** The session that it came with, or null. */
  readonly session: string | null;
}

/** Starts a front on a free port. */
export async function startFront(options: PlanetScaleOptions = {}): Promise<PlanetScaleFront> {
  const database = options.database ?? await (await startMariadb()).createDatabase();
  return new PlanetScaleFront(options, database);
}

/** What the client sends back untouched. */
interface Session {
  readonly signature: string;
  readonly vitessSession: VitessSession;
}

const path = "/psdb.v1alpha1.Database/";

/** A running front. */
export class PlanetScaleFront extends Front {
  readonly username = `user${crypto.randomUUID().slice(0, 8)}`;
  readonly password = `pscale_pw_${crypto.randomUUID().replaceAll("-", "")}`;
  /** The driver's `url`, with the user and the password in it. */
  readonly url: string;
  /** The database behind it: the truth. */
  readonly db: MariadbDatabase;
  /** Statements that were run, but for `control`: one a request. */
  statements = 0;
  /** BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE SAVEPOINT and XA. */
  control = 0;
  readonly log: PlanetScaleLogEntry[] = [];

  readonly #options: PlanetScaleOptions;
  readonly #tablet: Tablet;
  readonly #vtgate: Vtgate;
  readonly #signature = crypto.randomUUID();

  /** @private Use {@linkcode startFront}. */
  constructor(options: PlanetScaleOptions, database: MariadbDatabase) {
    super(options.latency ?? 0);
    this.#options = options;
    this.db = database;
    this.url = `http://${this.username}:${this.password}@127.0.0.1:${this.port}/${database.name}`;
    const connection = { url: database.url, foundRows: this.#foundRows, settings: options.settings ?? {} };
    this.#tablet = new Tablet({
      keyspace: database.name,
      transactionTimeout: options.transactionTimeout ?? 20_000,
      open: () => MysqlConnection.open(connection),
      track: (work) => void this.track(work),
    });
    this.#vtgate = new Vtgate(this.#tablet, database.name, options.xa ?? false);
  }

  /** Transactions that are open at the database now, for clients of this front. */
  get transactions(): number {
    return this.#tablet.transactions;
  }

  /** Connections to the database that sessions hold now, for a transaction or for what they have set. */
  get sessions(): number {
    return this.#tablet.held;
  }

  /** The texts that came, in order. */
  get sql(): string[] {
    return this.log.filter(({ kind }) => kind === "Execute").map(({ sql }) => sql);
  }

  /** Direct SQL, past the front: see {@linkcode MariadbDatabase.query}. */
  run(sql: string, params: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    return this.db.query(sql, params);
  }

  /** Zeroes the counters and the log. */
  override reset(): void {
    super.reset();
    this.statements = this.control = 0;
    this.log.length = 0;
  }

  protected override async handle({ path: asked, headers, body, onGone }: FrontRequest): Promise<Response> {
    const isExecute = asked === `${path}Execute`;
    if (!isExecute && asked !== `${path}CreateSession`) return new Response("Not found", { status: 404 });
    if (headers.get("authorization") !== `Basic ${btoa(`${this.username}:${this.password}`)}`) {
      const error = { code: "unauthenticated", message: "invalid auth credentials" };
      return Response.json({ error }, { status: 401 });
    }
    const { query, session } = JSON.parse(body) as { query?: string; session?: Session | null };
    this.log.push({
      kind: isExecute ? "Execute" : "CreateSession",
      sql: query ?? "",
      session: session?.vitessSession.SessionUUID ?? null,
    });
    if (!isExecute) return Response.json({ branch: "main", ...this.#signed(newSession(this.#foundRows)) });
    return await this.#execute(query ?? "", session ?? null, onGone);
  }

  protected override async end(): Promise<void> {
    await this.#tablet.stop();
    if (this.#options.database === undefined) await this.db.drop();
  }

  async #execute(sql: string, given: Session | null, onGone: (cancel: () => void) => void): Promise<Response> {
    isControl(sql) ? this.control++ : this.statements++;
    if (given !== null && given.signature !== this.#signature) {
      const error = { code: "UNAUTHENTICATED", message: "invalid session signature" };
      return Response.json({ error });
    }
    const started = performance.now();
    const before = given?.vitessSession ?? newSession(this.#foundRows);
    const { session, answer, error } = await this.#vtgate.execute(sql, before, onGone);
    const signed = this.#signed(session);
    const failed = error ?? this.#tooMany(answer !== undefined && "rows" in answer ? answer.rows.length : 0, sql);
    if (failed) return Response.json({ ...signed, error: { message: failed.message, code: this.#code(failed) } });
    const result = resultOf(answer!, this.#options.json ?? "TEXT");
    return Response.json({ ...signed, result, timing: (performance.now() - started) / 1000 });
  }

  get #foundRows(): boolean {
    return this.#options.foundRows ?? true;
  }

  #signed(vitessSession: VitessSession): { session: Session } {
    return { session: { signature: this.#signature, vitessSession } };
  }

  #tooMany(rows: number, sql: string): VitessError | undefined {
    const limit = this.#options.maxRows ?? 100_000;
    if (rows <= limit) return undefined;
    const message = `Row count exceeded ${limit}`;
    return tabletError(this.db.name, { errno: 10001, sqlState: "HY000", message }, sql);
  }

  /** Of vtgate's own errors the code is known; those of the tablet were seen as UNKNOWN. */
  #code({ code, message }: VitessError): string {
    return this.#options.codes === "grpc" || !message.startsWith("target: ") ? code : "UNKNOWN";
  }
}
