/**
 * `deno run -A bench/stream.ts`: streams a million rows of an embedded libSQL database through a session and shows what
 * memory that took, beside what the driver alone takes for the same pages. Fails when a process grew by more than 64 MiB
 * over what it held before, or a row is missing. Options: `--rows N`, `--size N` rows a page, `--only all,driver,stream`
 * (`all` loads every instance at once).
 *
 * Memory is what the system says that a process holds (RSS), looked at once a page, each way in a process of its own. The
 * nursery of the JavaScript engine is bounded to 16 MiB there: unbounded it grows with the rate of allocation to over 64
 * MiB, for the bare driver as for anything else, and nothing of what is held could be seen in that. The database is a
 * file, as one in memory would be counted in.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { createAll, model, Session, t } from "@ledge/session";
import { libsql } from "@ledge/session/libsql/local";

class Reading extends model("readings", {
  id: t.identity(),
  sensor: t.text(),
  value: t.double(),
  at: t.timestamp("at_time"),
}) {}

const MIB = 2 ** 20;
/** What a process may grow by. */
const LIMIT = 64 * MIB;
/** V8's semi-space, of which the nursery has two or three. */
const FLAGS = "--v8-flags=--max-semi-space-size=16";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rows: { type: "string", default: "1000000" },
    size: { type: "string", default: "1000" },
    only: { type: "string", default: "driver,stream" },
    file: { type: "string" },
  },
});
const rows = Number(values.rows);
const size = Number(values.size);

type Db = ReturnType<typeof libsql>;

/** The ways to go through all rows; each tells of every id. */
const WAYS: Readonly<Record<string, (db: Db, session: Session, see: (id: number) => void) => Promise<void>>> = {
  async driver(db, _, see) {
    const sql = "SELECT id, sensor, value, at_time FROM readings WHERE id > ? ORDER BY id LIMIT ?";
    for (let last = 0; last < rows;) {
      for (const row of (await db.execute({ sql, params: [last, size] })).rows) see(last = Number(row[0]));
    }
  },
  async stream(_, session, see) {
    for await (const { id } of session.query(Reading).stream({ size })) see(id);
  },
  async all(_, session, see) {
    for (const { id } of await session.query(Reading).all()) see(id);
  },
};

/** Makes the rows inside the database, so that none of them was ever held here. */
async function fill(file: string): Promise<void> {
  const db = libsql({ url: `file:${file}` });
  await createAll(db, [Reading]);
  await db.execute({
    sql: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO readings " +
      "SELECT i, 'sensor ' || (i % 100), i / 7.0, strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i, 'unixepoch') FROM n",
    params: [rows],
  });
  await db.close();
}

/** Goes through all rows one way, in this process. Returns whether it stayed within the limit. */
async function measure(way: string, file: string): Promise<boolean> {
  const db = libsql({ url: `file:${file}` });
  await using session = new Session({ bind: db });
  await session.query(Reading).page({ size }); // what is compiled and set up once is not the stream's
  session.expungeAll();
  const before = Deno.memoryUsage().rss;
  let most = before;
  let seen = 0;
  let sum = 0;
  const began = performance.now();
  await WAYS[way]!(db, session, (id) => {
    sum += id;
    if (++seen % size === 0) most = Math.max(most, Deno.memoryUsage().rss);
  });
  const seconds = (performance.now() - began) / 1000;
  const grown = Math.max(most, Deno.memoryUsage().rss) - before;
  await db.close();
  if (seen !== rows || sum !== rows * (rows + 1) / 2) throw new Error(`${rows} rows were to be seen, and ${seen} were`);
  console.log(
    `${way}: ${seen} rows in ${seconds.toFixed(1)} s, pages of ${size}; ${(before / MIB).toFixed(0)} MiB before, ` +
      `at most ${(grown / MIB).toFixed(1)} MiB more; ${session.identityMap.size} instances left in the session`,
  );
  return grown <= LIMIT;
}

if (values.file !== undefined) Deno.exit(await measure(values.only, values.file) ? 0 : 1);
const folder = await Deno.makeTempDir({ prefix: "ledge-stream-" });
const over: string[] = [];
try {
  const file = `${folder}/stream.db`;
  await fill(file);
  for (const way of values.only.split(",")) {
    if (WAYS[way] === undefined) throw new Error(`--only knows no ${way}; there are ${Object.keys(WAYS).join(", ")}`);
    const own = ["--rows", values.rows, "--size", values.size, "--only", way, "--file", file];
    const args = ["run", "-A", FLAGS, import.meta.filename!, ...own];
    const { success } = await new Deno.Command(Deno.execPath(), { args, stdout: "inherit", stderr: "inherit" })
      .output();
    if (!success) over.push(way);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
if (over.length > 0) {
  console.error(`Over the limit of ${LIMIT / MIB} MiB, or failed: ${over.join(", ")}`);
  Deno.exit(1);
}
