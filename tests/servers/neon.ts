/**
 * A thin front for a real PostgreSQL with the surface of Neon's proxy: `POST /sql`, and a WebSocket relay to the
 * database's port. A stand-in, so that tests and benchmarks can count requests, add latency and inject faults: statements,
 * locks and errors are PostgreSQL's own, and what the proxy adds to them is done as its source does it, as far as
 * `@neondatabase/serverless` uses it.
 *
 * The driver finds it through two settings, which hold for any number of fronts: see {@linkcode useFronts}.
 *
 * ```ts ignore
 * useFronts(neonConfig);
 * await using server = await startNeon({ latency: 20 });
 * const sql = neon(server.url);
 * ```
 *
 * @module
 */
import pg from "pg";
import { transactionControl } from "../../src/sql/scan.ts";
import { Front, type FrontRequest, type MaybePromise } from "./front.ts";
import { relay } from "./neon_relay.ts";
import { type PostgresDatabase, startPostgres } from "./postgres.ts";

export { cut } from "./front.ts";
export { useFronts } from "./neon_config.ts";

/** How to start a front; sizes are in bytes, times in milliseconds. */
export interface NeonOptions {
  /** The database behind it; a fresh one, dropped by `stop()`, unless given. */
  database?: PostgresDatabase;
  /** Added to every HTTP request and WebSocket message. */
  latency?: number;
  /** The longest body that is read: 10 MiB as in the proxy. */
  maxRequest?: number;
  /** The most that a request's rows may hold: 10 MiB as in the proxy. */
  maxResponse?: number;
}

/** One counted request, or one trip over a WebSocket, and the statements that were sent with it. */
export interface NeonLogEntry {
  readonly kind: "http" | "ws";
  readonly sql: string[];
  /** The parameters of each statement; empty for a WebSocket. */
  readonly params: (readonly (string | null)[])[];
  /** The proxy's own headers, over HTTP, without the connection string. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Starts a front on a free port. */
export async function startNeon(options: NeonOptions = {}): Promise<NeonServer> {
  const database = options.database ?? await (await startPostgres()).createDatabase();
  return new NeonServer(options, database);
}

/** One statement as the driver sends it. */
interface Query {
  readonly query: string;
  readonly params?: readonly unknown[];
}

/** What npm's `pg`, which brings no types, gives for a statement. */
interface EngineResult {
  readonly fields: readonly {
    readonly name: string;
    readonly tableID: number;
    readonly columnID: number;
    readonly dataTypeID: number;
    readonly dataTypeSize: number;
    readonly dataTypeModifier: number;
  }[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly command: string | null;
  readonly rowCount: number | null;
}

/** An answer other than 200. */
class Refusal extends Error {
  constructor(readonly status: number, message: string, readonly fields: Record<string, unknown> = {}) {
    super(message);
  }
}

const tenMiB = 10 * 1024 * 1024;
const levels: Record<string, string> = {
  ReadUncommitted: "READ UNCOMMITTED",
  ReadCommitted: "READ COMMITTED",
  RepeatableRead: "REPEATABLE READ",
  Serializable: "SERIALIZABLE",
};
const errorFields: readonly string[] = [
  ...["severity", "code", "detail", "hint", "position", "internalPosition", "internalQuery", "where", "schema"],
  ...["table", "column", "dataType", "constraint", "file", "line", "routine"],
];

/**
 * A running front. Its requests are HTTP requests, and trips over WebSockets: each is a Query or a Sync message, whose
 * answer the client waits for. Latency is added to both.
 */
export class NeonServer extends Front {
  /** The connection string, as a superuser, with the front as its host. */
  readonly url: string;
  /** The database behind it: the truth. */
  readonly db: PostgresDatabase;
  /** SQL statements that were run, or sent over a WebSocket, but for `control`. */
  statements = 0;
  /** BEGIN, COMMIT, ROLLBACK, SAVEPOINT and RELEASE; the ones that a batch is wrapped in are not counted. */
  control = 0;
  /** WebSockets that were opened. */
  connections = 0;
  /** Messages from clients over WebSockets, handshakes included. */
  frames = 0;
  readonly log: NeonLogEntry[] = [];
  /** Given the statements of each trip over a WebSocket before they are passed on: "cut" closes both sides instead. */
  beforeTrip?: (sql: readonly string[]) => MaybePromise<"cut" | void>;
  /** Given them when the answer to the trip arrives: "cut" closes both sides instead of passing it on. */
  afterTrip?: (sql: readonly string[]) => MaybePromise<"cut" | void>;

  readonly #options: NeonOptions;
  readonly #sockets = new Set<WebSocket>();
  readonly #idle = new Map<string, pg.Client[]>();

  /** @private Use {@linkcode startNeon}. */
  constructor(options: NeonOptions, database: PostgresDatabase) {
    super(options.latency ?? 0);
    this.#options = options;
    this.db = database;
    const url = new URL(database.url);
    url.host = `127.0.0.1:${this.port}`;
    this.url = url.href;
  }

  /** WebSockets that are open now. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /** Zeroes the counters and the log. */
  override reset(): void {
    super.reset();
    this.statements =
      this.control =
      this.connections =
      this.frames =
        0;
    this.log.length = 0;
  }

  /** Closes all connections on both sides and drops a database of its own. */
  override stop(): Promise<void> {
    const stopped = super.stop();
    for (const socket of this.#sockets) socket.close(1001);
    return stopped;
  }

  protected override async end(): Promise<void> {
    for (const clients of this.#idle.values()) for (const client of clients) await client.end();
    if (this.#options.database === undefined) await this.db.drop();
  }

  protected override async handle({ path, headers, body, onGone }: FrontRequest): Promise<Response> {
    if (path !== "/sql") return new Response("Not found", { status: 404 });
    try {
      const limit = this.#options.maxRequest ?? tenMiB;
      const size = new TextEncoder().encode(body).length;
      if (size > limit) throw new Refusal(413, `request is too large (max is ${limit} bytes)`);
      return Response.json(await this.#run(headers, onGone, JSON.parse(body)));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const fields = Object.fromEntries(errorFields.map((name) => [name, error.fields[name] ?? null]));
      return Response.json({ message: error.message, ...fields }, { status: error.status });
    }
  }

  async #run(
    headers: Headers,
    onGone: FrontRequest["onGone"],
    payload: Query | { queries: readonly Query[] },
  ): Promise<unknown> {
    const isBatch = "queries" in payload;
    const queries = isBatch ? payload.queries : [payload];
    const entry: NeonLogEntry = {
      kind: "http",
      sql: queries.map(({ query }) => query),
      params: queries.map(({ params }) => (params ?? []) as (string | null)[]),
      headers: Object.fromEntries([...headers].filter(([name]) => /^neon-(?!connection)/.test(name))),
    };
    this.log.push(entry);
    if (headers.get("neon-raw-text-output") !== "true") {
      throw new Refusal(400, "This front speaks raw text only: send Neon-Raw-Text-Output: true");
    }
    const { config, key } = this.#target(headers.get("neon-connection-string"));
    const client = await this.#take(config, key);
    onGone(() => this.#cancel(config, client));
    let isClean = false;
    try {
      const budget = { left: this.#options.maxResponse ?? tenMiB };
      const results: unknown[] = [];
      if (isBatch) await this.#control(client, begin(headers));
      for (const query of queries) {
        results.push(await this.#query(client, query, headers.get("neon-array-mode") === "true", budget));
      }
      if (isBatch) await this.#control(client, "COMMIT");
      isClean = true;
      return isBatch ? { results } : results[0];
    } finally {
      onGone(() => {}); // Its connection may be another request's now.
      await this.#give(client, key, isClean);
    }
  }

  /** Where the connection string leads: its user and password are the database's to check. */
  #target(text: string | null): { config: pg.ClientConfig; key: string } {
    if (text === null) throw new Refusal(400, "missing connection string");
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      throw new Refusal(400, "invalid connection string");
    }
    if (!url.password) throw new Refusal(400, "missing password");
    const truth = new URL(this.db.url);
    const config: pg.ClientConfig = {
      host: truth.hostname,
      port: Number(truth.port || 5432),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)),
    };
    const options = url.searchParams.get("options");
    if (options !== null) config.options = options;
    return { config, key: JSON.stringify(config) };
  }

  async #take(config: pg.ClientConfig, key: string): Promise<pg.Client> {
    const idle = this.#idle.get(key)?.pop();
    if (idle !== undefined) return idle;
    const client = new pg.Client({ ...config, types: { getTypeParser: () => (text: unknown) => text } as never });
    client.on("error", () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      throw asRefusal(error);
    }
  }

  /** Back into the pool, without anything that the request left in its session, as the proxy does. */
  async #give(client: pg.Client, key: string, isClean: boolean): Promise<void> {
    try {
      if (!isClean) await client.query("ROLLBACK");
      await client.query("DISCARD ALL");
    } catch {
      await client.end().catch(() => {});
      return;
    }
    if (this.isStopping) return await client.end();
    this.#idle.set(key, [...this.#idle.get(key) ?? [], client]);
  }

  #cancel(config: pg.ClientConfig, client: pg.Client): void {
    const { processID } = client as unknown as { processID: number };
    this.track(
      (async () => {
        const other = new pg.Client(config);
        other.on("error", () => {});
        await other.connect();
        await other.query("SELECT pg_cancel_backend($1)", [processID]);
        await other.end();
      })().catch(() => {}),
    );
  }

  async #control(client: pg.Client, sql: string): Promise<void> {
    try {
      await client.query(sql);
    } catch (error) {
      throw asRefusal(error);
    }
  }

  async #query(client: pg.Client, { query, params }: Query, inArrays: boolean, budget: { left: number }) {
    transactionControl(query) === null ? this.statements++ : this.control++;
    const values = (params ?? []).map((value) => {
      return value === null || typeof value === "string" ? value : JSON.stringify(value);
    });
    let result: EngineResult;
    try {
      // Always by the extended protocol, where a text holds one statement.
      result = await client.query({ text: query, values, rowMode: "array", queryMode: "extended" });
    } catch (error) {
      throw asRefusal(error);
    }
    for (const row of result.rows) for (const value of row) budget.left -= value?.length ?? 0;
    if (budget.left < 0) {
      throw new Refusal(507, `response is too large (max is ${this.#options.maxResponse ?? tenMiB} bytes)`);
    }
    const fields = result.fields.map((field) => {
      const { name, tableID, columnID, dataTypeID, dataTypeSize, dataTypeModifier } = field;
      return { name, dataTypeID, tableID, columnID, dataTypeSize, dataTypeModifier, format: "text" };
    });
    const rows = inArrays ? result.rows : result.rows.map((row) => {
      return Object.fromEntries(row.map((value, i) => [fields[i]!.name, value]));
    });
    return { fields, rows, command: result.command ?? "", rowCount: result.rowCount, rowAsArray: inArrays };
  }

  protected override divert(request: Request): Response | undefined {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return undefined;
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    const truth = new URL(this.db.url);
    this.connections++;
    const closed = relay(socket, { hostname: truth.hostname, port: Number(truth.port || 5432) }, {
      frame: (size) => {
        this.frames++;
        this.bytesIn += size;
      },
      answer: (size) => this.bytesOut += size,
      latency: () => this.latency > 0 ? this.sleep(this.latency) : undefined,
      trip: async (sql) => {
        this.requests++;
        for (const text of sql) transactionControl(text) === null ? this.statements++ : this.control++;
        this.log.push({ kind: "ws", sql: [...sql], params: [], headers: {} });
        return await (this.beforeTrip && this.hook(this.beforeTrip(sql)));
      },
      answered: async (sql) => await (this.afterTrip && this.hook(this.afterTrip(sql))),
    });
    this.#sockets.add(socket);
    this.track(closed.finally(() => this.#sockets.delete(socket)));
    return response;
  }
}

/** PostgreSQL's error with its fields, or a login that it refused, as the proxy gives them; never what was not said to it. */
function asRefusal(error: unknown): Refusal {
  const { message, ...fields } = error as Error & Record<string, unknown>;
  if (typeof fields.code === "string" && typeof fields.severity === "string") {
    return new Refusal(400, message, fields);
  }
  return new Refusal(500, "could not connect to the database or lost the connection to it");
}

/** What a batch begins with. */
function begin(headers: Headers): string {
  const isolation = headers.get("neon-batch-isolation-level");
  const level = isolation === null ? "" : levels[isolation];
  if (level === undefined) throw new Refusal(400, "invalid isolation level");
  const flag = (name: string, on: string, off: string) => {
    const value = headers.get(name);
    return value === null ? "" : value === "true" ? on : off;
  };
  return [
    "BEGIN",
    level && `ISOLATION LEVEL ${level}`,
    flag("neon-batch-read-only", "READ ONLY", "READ WRITE"),
    flag("neon-batch-deferrable", "DEFERRABLE", "NOT DEFERRABLE"),
  ].filter((part) => part !== "").join(" ");
}
