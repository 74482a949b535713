/**
 * A real MariaDB for tests: Debian's `mariadb-server`, started privately on a free port with settings that trade safety for
 * speed, or the programs in the folder `MARIADB_BIN`, or the server of `MYSQL_URL` (`mysql://user:password@host:port`).
 *
 * Starting one takes 1.3 s, so that all test files of a process share one and each makes databases (schemas) of its own.
 * It is ended by a watcher, a shell of its own session that outlives a crash: see mariadb_process.ts. Nothing is left to
 * `finally`. Where there is none, tests say so instead of running:
 *
 * ```ts ignore
 * const missing = mariadbMissing();
 * Deno.test({ ignore: missing !== null, name: `rows come back${missing ?? ""}`, fn: async () => {
 *   const server = await startMariadb();
 *   await using database = await server.createDatabase();
 *   await database.query("CREATE TABLE t (id int)");
 * } });
 * ```
 *
 * @module
 */
import mysql from "mysql2/promise";
import {
  accepted,
  type Address,
  configure,
  create,
  log,
  programs,
  type Settings,
  userName,
} from "./mariadb_process.ts";
import { exists, shared, sleep } from "./process.ts";

export type { Settings };

/** How to start a server. */
export interface MariadbOptions {
  /** A server of one's own, which can be killed and which `stop()` ends; otherwise the one that the process shares. */
  own?: boolean;
  /** Settings of a server of one's own, by their names in its configuration file. */
  settings?: Settings;
}

/**
 * Null where a MariaDB can be started or was given, else why not and what to install, in the words that the name of a
 * skipped test ends with.
 */
export function mariadbMissing(): string | null {
  if (Deno.env.get("MYSQL_URL") || programs() !== undefined) return null;
  const where = Deno.env.get("MARIADB_BIN") ? "in MARIADB_BIN" : "on this machine";
  return ` (skipped: no MariaDB ${where}; install it with: apt-get install -y mariadb-server)`;
}

/** The server that the process shares, started when it is first asked for, or one of its own. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  if (options.settings !== undefined && !options.own) throw new TypeError("Settings need a server of one's own");
  const given = Deno.env.get("MYSQL_URL");
  if (given && !options.own) return new MariadbServer(given);
  if (programs() === undefined) throw new Error(`MariaDB cannot be started${mariadbMissing() ?? ""}`);
  if (!options.own) return new MariadbServer(urlOf(await shared("mariadb", (folder) => create(folder, {}))));
  const folder = await Deno.makeTempDir({ prefix: "mariadb-" });
  const address = await create(folder, options.settings ?? {});
  return new MariadbServer(urlOf(address), { folder, address });
}

/** A running server. */
export class MariadbServer implements AsyncDisposable {
  /** Where it is, as a user with all rights. */
  readonly url: string;
  readonly #own: { readonly folder: string; readonly address: Address } | undefined;

  /** @private Use {@linkcode startMariadb}. */
  constructor(url: string, own?: { readonly folder: string; readonly address: Address }) {
    this.url = url;
    this.#own = own;
  }

  /** A fresh, empty database. */
  async createDatabase(): Promise<MariadbDatabase> {
    const name = `ledge_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
    await run(this.url, `CREATE DATABASE ${name}`);
    const url = new URL(this.url);
    url.pathname = `/${name}`;
    return new MariadbDatabase(name, url.href, this.url);
  }

  /** Ends a server of one's own as a power cut would; `restart()` brings it back. */
  async kill(): Promise<void> {
    const { folder } = this.#owned("kill");
    Deno.kill(Number(await Deno.readTextFile(`${folder}/pid`)), "SIGKILL");
    while (!await exists(`${folder}/ended`)) await sleep(10);
  }

  /** Starts a server of one's own again, on the same port and data, with other settings if they are given. */
  async restart(settings?: Settings): Promise<void> {
    const { folder, address } = this.#owned("restart");
    if (!await exists(`${folder}/ended`)) await this.kill();
    if (settings !== undefined) await configure(folder, address, settings);
    await Deno.writeTextFile(`${folder}/restart`, "");
    while (await exists(`${folder}/ended`)) await sleep(10);
    await accepted(folder, address.port);
  }

  /** What the server wrote since it was last started; nothing of a shared one. */
  async log(): Promise<string> {
    return this.#own === undefined ? "" : await log(this.#own.folder);
  }

  /** Ends a server of one's own; does nothing to a shared one. */
  async stop(): Promise<void> {
    if (this.#own === undefined) return;
    const { folder } = this.#own;
    await Deno.writeTextFile(`${folder}/stop`, "").catch(() => {});
    for (const end = Date.now() + 10_000; await exists(folder); await sleep(20)) {
      if (Date.now() > end) throw new Error(`MariaDB did not stop; its folder is ${folder}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #owned(what: string): { readonly folder: string; readonly address: Address } {
    if (this.#own === undefined) throw new Error(`Cannot ${what} a server that others use: ask for one with own: true`);
    return this.#own;
  }
}

/** A database of a server; disposing drops it, connections that are left and all. */
export class MariadbDatabase implements AsyncDisposable {
  readonly name: string;
  /** Its connection string, as a user with all rights. */
  readonly url: string;
  readonly #server: string;
  #connection: Promise<mysql.Connection> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  /** @private Use {@linkcode MariadbServer.createDatabase}. */
  constructor(name: string, url: string, server: string) {
    this.name = name;
    this.url = url;
    this.#server = server;
  }

  /**
   * The truth: rows as objects; BIGINT beyond 2^53, DECIMAL and dates as text, binary as bytes. The text may hold several
   * statements, whose rows follow each other. One connection, one call at a time.
   */
  query(sql: string, params: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const running = this.#running.catch(() => {}).then(async () => {
      // Where the server was killed, the next call opens another.
      const connection = await (this.#connection ??= open(this.url, () => this.#connection = undefined));
      const [results] = await connection.query(sql, [...params]);
      return rowsOf(results);
    });
    this.#running = running;
    return running;
  }

  /** How many other connections are open to this database now. */
  async connections(): Promise<number> {
    const [row] = await this.query(
      "SELECT count(*) n FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
    );
    return row!.n as number;
  }

  /** How many transactions are open on this database now, but for its own connection's. */
  async transactions(): Promise<number> {
    const [row] = await this.query(
      `SELECT count(*) n FROM information_schema.innodb_trx t JOIN information_schema.processlist p
       ON p.id = t.trx_mysql_thread_id WHERE p.db = database() AND p.id <> connection_id()`,
    );
    return row!.n as number;
  }

  /** Drops the database; a prepared XA transaction in it has to be ended first. */
  async drop(): Promise<void> {
    await this.#running.catch(() => {});
    const connection = await this.#connection?.catch(() => undefined);
    this.#connection = undefined;
    await connection?.end().catch(() => {});
    await run(this.#server, (query) => dropDatabase(query, this.name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
  }
}

type Query = (sql: string) => Promise<Record<string, unknown>[]>;

async function dropDatabase(query: Query, name: string): Promise<void> {
  const left = await query(`SELECT id FROM information_schema.processlist WHERE db = '${name}'`);
  for (const { id } of left) await query(`KILL ${id}`).catch(() => {}); // Gone meanwhile.
  await query("SET lock_wait_timeout = 10");
  await query(`DROP DATABASE IF EXISTS ${name}`);
}

/** The rows in what mysql2 gives for a text: an object or rows for one statement, an array of these for several. */
function rowsOf(results: unknown): Record<string, unknown>[] {
  const all: readonly unknown[] = Array.isArray(results) ? results.flat() : [];
  return all.filter((row) => (row as object).constructor.name !== "ResultSetHeader") as Record<string, unknown>[];
}

async function open(url: string, lost: () => void = () => {}): Promise<mysql.Connection> {
  const connection = await mysql.createConnection({
    uri: url,
    charset: "utf8mb4",
    dateStrings: true,
    flags: ["-IGNORE_SPACE"], // It would change sql_mode.
    jsonStrings: true,
    multipleStatements: true,
    supportBigNumbers: true,
    timezone: "Z",
  });
  connection.on("error", lost);
  return connection;
}

async function run(url: string, work: string | ((query: Query) => Promise<void>)): Promise<void> {
  const connection = await open(url);
  try {
    const query: Query = async (sql) => (await connection.query<mysql.RowDataPacket[]>(sql))[0];
    if (typeof work === "string") await query(work);
    else await work(query);
  } finally {
    await connection.end();
  }
}

function urlOf({ port, password }: Address): string {
  return `mysql://${userName}:${password}@127.0.0.1:${port}/`;
}
