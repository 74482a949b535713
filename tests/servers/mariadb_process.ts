/**
 * Makes and runs the private MariaDB of mariadb.ts: finding the programs, a data folder, the settings, and a watcher that
 * ends the server when the tests are gone, however they went.
 *
 * @module
 */
import { announce, answers, exists, freePort, output, serverUser, sleep, type User } from "./process.ts";

/** Where a server can be reached. */
export interface Address {
  readonly port: number;
  readonly password: string;
}

/** Settings of a server, or of one session: `{ sql_mode: "ANSI_QUOTES", auto_increment_increment: 3 }`. */
export type Settings = Readonly<Record<string, string | number>>;

/** The user that the tests are, with all rights. */
export const userName = "ledge";

/** Speed in place of safety from power cuts; what was committed survives a kill of the server: 2 writes, without a flush. */
const speed: Settings = {
  innodb_flush_log_at_trx_commit: 2,
  innodb_doublewrite: "OFF",
  innodb_buffer_pool_size: "64M",
  innodb_log_file_size: "32M",
  innodb_log_buffer_size: "2M",
  innodb_fast_shutdown: 2,
  aria_pagecache_buffer_size: "8M",
  key_buffer_size: "1M",
  performance_schema: "OFF",
  max_connections: 200,
  thread_cache_size: 16,
};

/**
 * What the service has, as near as MariaDB comes to it: `utf8mb4_0900_ai_ci` is a MySQL 8 name; of MySQL 8's sql_mode,
 * ONLY_FULL_GROUP_BY is left out because MariaDB refuses more with it than MySQL does.
 */
const likeTheService: Settings = {
  character_set_server: "utf8mb4",
  collation_server: "utf8mb4_unicode_520_nopad_ci",
  default_time_zone: "+00:00",
  max_allowed_packet: "64M",
  sql_mode: "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
};

/** The programs, each in the first of these folders that has it; all in `MARIADB_BIN` if that is set. */
export function programs(): { server: string; install: string } | undefined {
  const given = Deno.env.get("MARIADB_BIN");
  const path = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder.startsWith("/"));
  const folders = given ? [given] : [...path, "/usr/sbin", "/usr/bin", "/usr/local/bin"];
  const find = (...names: string[]) =>
    names.flatMap((name) => folders.map((folder) => `${folder}/${name}`)).find((file) => {
      try {
        return Deno.statSync(file).isFile;
      } catch {
        return false;
      }
    });
  const server = find("mariadbd");
  const install = find("mariadb-install-db");
  return server !== undefined && install !== undefined ? { server, install } : undefined;
}

/** Makes a data folder and starts a server on it: 1.0 s and 0.3 s. */
export async function create(folder: string, settings: Settings): Promise<Address> {
  const found = programs();
  if (found === undefined) throw new Error("No MariaDB on this machine");
  const user = await serverUser();
  const password = crypto.randomUUID();
  await Deno.chmod(folder, 0o700);
  if (user !== undefined) await Deno.chown(folder, user.uid, user.gid);
  await Deno.mkdir(`${folder}/tmp`);
  if (user !== undefined) await Deno.chown(`${folder}/tmp`, user.uid, user.gid);
  await output(
    found.install,
    [
      ...["--no-defaults", `--datadir=${folder}/data`, "--auth-root-authentication-method=normal", "--skip-test-db"],
      ...["--skip-name-resolve", `--tmpdir=${folder}/tmp`, "--innodb-log-file-size=32M", "--innodb-doublewrite=OFF"],
    ],
    user,
    folder,
  );
  for (let attempt = 1;; attempt++) {
    const address = { port: freePort(), password };
    await configure(folder, address, settings);
    await output("/bin/sh", ["-c", watcher, "sh", folder, found.server, String(Deno.pid)], user, folder);
    try {
      await accepted(folder, address.port);
    } catch (error) {
      if (attempt < 3 && await exists(folder)) {
        await Deno.writeTextFile(`${folder}/stop`, "keep"); // The port was taken meanwhile.
        while (await exists(`${folder}/stop`)) await sleep(20);
        continue;
      }
      throw error;
    }
    await announce(folder, address);
    return address;
  }
}

/** Writes what the server reads when it starts. */
export async function configure(folder: string, { port, password }: Address, settings: Settings): Promise<void> {
  const user = await serverUser();
  // The grants in an init file are run before the first connection is taken.
  await write(
    `${folder}/init.sql`,
    [
      "DELETE FROM mysql.global_priv WHERE user = 'root';", // Without passwords; the rights are read again below.
      "FLUSH PRIVILEGES;",
      `CREATE USER IF NOT EXISTS ${userName}@'%' IDENTIFIED BY '${password}';`,
      `GRANT ALL PRIVILEGES ON *.* TO ${userName}@'%' WITH GRANT OPTION;`,
    ],
    user,
  );
  const all: Settings = { ...speed, ...likeTheService, ...settings };
  await write(
    `${folder}/my.cnf`,
    [
      "[mariadbd]",
      ...["skip-log-bin", "skip-name-resolve", "bind-address = 127.0.0.1", `port = ${port}`],
      ...[`datadir = ${folder}/data`, `tmpdir = ${folder}/tmp`, `socket = ${folder}/socket`],
      ...[`pid-file = ${folder}/data/pid`, `init-file = ${folder}/init.sql`],
      ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
    ],
    user,
  );
}

async function write(path: string, lines: string[], user: User | undefined): Promise<void> {
  await Deno.writeTextFile(path, `${lines.join("\n")}\n`, { mode: 0o600 });
  if (user !== undefined) await Deno.chown(path, user.uid, user.gid);
}

/**
 * Runs the server and watches it, in a session of its own where that is to be had, so that Ctrl-C reaches neither; returns
 * at once. Arguments: folder, server, the process to outlive. `/proc` tells of a process of any user. The server is ended
 * by SIGKILL, since nothing of it is kept. One that ended otherwise (a test killed it) is started again when a file
 * `restart` asks for it. A file `stop` that says "keep" ends the watcher and leaves the folder.
 */
const watcher = `
detach=; command -v setsid >/dev/null 2>&1 && detach=setsid
$detach /bin/sh -c '
  trap "" INT HUP TERM
  alive() { if [ -d /proc/self ]; then [ -d "/proc/$1" ]; else kill -0 "$1" 2>/dev/null; fi; }
  wanted() { [ ! -e "$1/stop" ] && alive "$2"; }
  while wanted "$1" "$3"; do
    "$2" --defaults-file="$1/my.cnf" >>"$1/log" 2>&1 &
    server=$!
    echo $server >"$1/pid.new" && mv "$1/pid.new" "$1/pid"
    while wanted "$1" "$3" && kill -0 $server 2>/dev/null; do sleep 0.05; done
    kill -KILL $server 2>/dev/null
    wait $server 2>/dev/null
    echo "the server ended" >"$1/ended"
    while wanted "$1" "$3" && [ ! -e "$1/restart" ]; do sleep 0.05; done
    rm -f "$1/restart" "$1/ended"
  done
  if [ "$(cat "$1/stop" 2>/dev/null)" = keep ]; then rm "$1/stop"; else cd / && rm -rf "$1"; fi
' "$0" "$1" "$2" "$3" </dev/null >/dev/null 2>&1 &
`;

/** Resolves when the server takes connections. */
export async function accepted(folder: string, port: number): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(10)) {
    if (await exists(`${folder}/ended`)) {
      throw new Error(`MariaDB did not start on port ${port}:\n${await log(folder)}`);
    }
    if (await answers(port) && (await log(folder)).includes("ready for connections")) return;
  }
  throw new Error(`MariaDB took longer than 30 s to start:\n${await log(folder)}`);
}

/** What the server wrote since it was last started. */
export async function log(folder: string): Promise<string> {
  const text = await Deno.readTextFile(`${folder}/log`).catch(() => "");
  return text.slice(Math.max(0, text.lastIndexOf("Starting MariaDB")));
}
