import { assertEquals } from "@std/assert";
import { source } from "../../src/sql/mysql_source.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { TableInfo } from "../../src/sql/table.ts";
import { table } from "./fixtures.ts";
import { MysqlEngine, test } from "./mysql_engine.ts";
import { insert, remove, update } from "./mysql_steps.ts";

const version = { type: "integer", version: true } as const;
const name = { type: "text", nullable: true } as const;

const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

/** Tables by what their keys are, with what makes a key of a number; `ddl` where it is not what createTable() makes. */
const KEYS: Readonly<Record<string, { of: TableInfo; key: (n: number) => SqlValue[]; ddl?: string }>> = {
  integer: { of: table("ints", { id: { type: "integer", primaryKey: true }, name, version }), key: (n) => [n] },
  identity: { of: table("idents", { id: { type: "identity" }, name, version }), key: (n) => [n + 1] },
  uuid: { of: table("uuids", { id: { type: "uuid", primaryKey: true }, name, version }), key: (n) => [uuid(n)] },
  text: { of: table("texts", { id: { type: "text", primaryKey: true }, name, version }), key: (n) => [`k${n}`] },
  bytes: {
    of: table("blobs", { id: { type: "bytes", primaryKey: true }, name, version }),
    key: (n) => [new Uint8Array([n >> 8, n & 255])],
  },
  decimal: {
    of: table("decs", { id: { type: { name: "decimal", precision: 20, scale: 4 }, primaryKey: true }, name, version }),
    key: (n) => [`${n}.5`],
  },
  timestamp: {
    of: table("times", { id: { type: "timestamp", primaryKey: true }, name, version }),
    key: (n) => [`2024-01-02 03:04:05.${String(n).padStart(3, "0")}`],
  },
  composite: {
    of: table("pairs", {
      a: { type: "uuid", primaryKey: true },
      b: { type: "integer", primaryKey: true },
      name,
      version,
    }),
    key: (n) => [uuid(n % 3), n],
  },
  "an int of the user's": {
    of: table("small", { id: { type: "integer", primaryKey: true }, name, version }),
    key: (n) => [n],
    ddl: "CREATE TABLE small (id int unsigned PRIMARY KEY, name text, version int) DEFAULT CHARSET latin1",
  },
  "text of another collation": {
    of: table("latin", { id: { type: "text", primaryKey: true }, name, version }),
    key: (n) => [`k${n}`],
    ddl:
      "CREATE TABLE latin (id varchar(50) PRIMARY KEY, name text, version int) CHARSET latin1 COLLATE latin1_spanish_ci",
  },
  "text of another collation than the connection's": {
    of: table("spanish", { id: { type: "text", primaryKey: true }, name, version }),
    key: (n) => [`ké${n}`],
    ddl:
      "CREATE TABLE spanish (id varchar(50) PRIMARY KEY, name text, version int) CHARSET utf8mb4 COLLATE utf8mb4_spanish_ci",
  },
  "text of an older collation": {
    of: table("older", { id: { type: "text", primaryKey: true }, name, version }),
    key: (n) => [`k${n}`],
    ddl:
      "CREATE TABLE older (id varchar(50) PRIMARY KEY, name text, version int) CHARSET utf8mb3 COLLATE utf8mb3_general_ci",
  },
};

for (const [what, { of, key, ddl }] of Object.entries(KEYS)) {
  test(`rows are found by their key where it is ${what}: in updates, deletes and checks`, async () => {
    await using engine = await MysqlEngine.open(...ddl === undefined ? [of] : []);
    if (ddl !== undefined) await engine.query(ddl);
    const names = of.columns.map((column) => column.name);
    const numbers = Array.from({ length: 200 }, (_, n) => n);
    await engine.commit(insert(of, names, numbers.map((n) => [...key(n), `name ${n}`, 1])));
    await engine.query(`ANALYZE TABLE ${of.table}`);
    const rows = [3, 5, 8].map((n) => ({ key: key(n), version: 1, cells: ["nové"] }));
    const steps = [
      update(rows, ["name"], { table: of }),
      remove(rows.map((row) => ({ ...row, version: 2 })), true, of),
    ];
    for (const { statement, check } of engine.client.dialect.compile(steps)) {
      for (const { sql, params } of [statement, check!]) {
        const plan = await engine.query(`EXPLAIN ${sql}`, ...params);
        const access = plan.find((line) => line[1] === "PRIMARY" && line[2] === of.table);
        assertEquals(access?.slice(3, 6).toSpliced(1, 1), ["eq_ref", "PRIMARY"], sql);
      }
    }
    const inList = engine.client.dialect.inList(of.key, [1, 2].map(key), []);
    const left = of.key.length === 1 ? of.key[0]!.name : `(${of.key.map((column) => column.name).join(", ")})`;
    const [list] = await engine.query(
      `EXPLAIN SELECT * FROM ${of.table} WHERE ${left} IN ${inList}`,
      ...key(1),
      ...key(2),
    );
    assertEquals(list!.slice(3, 6).toSpliced(1, 1), ["range", "PRIMARY"]);
    await engine.commit(...steps.slice(0, 1));
    assertEquals(await engine.query(`SELECT count(*) FROM ${of.table} WHERE version = 2`), [[3]]);
    await engine.commit(...steps.slice(1));
    assertEquals(await engine.query(`SELECT count(*) FROM ${of.table}`), [[197]]);
  });
}

test("rows as a table have the types and collations of the columns that they are compared with", async () => {
  const odd = table("odd", {
    id: { type: "integer", primaryKey: true },
    word: { type: "text" },
    price: { type: { name: "decimal", precision: 20, scale: 4 } },
    at: { type: "timestamp" },
  });
  await using engine = await MysqlEngine.open();
  await engine.query(
    "CREATE TABLE odd (id int PRIMARY KEY, word varchar(9) CHARSET latin1 COLLATE latin1_spanish_ci, price decimal(20, 4), " +
      "at datetime(3))",
  );
  const fields = odd.columns.map((column) => ({ column, compared: true }));
  const { from, params } = source(odd, fields, [[1, "é", "1.5", "2024-01-02 03:04:05"]], 0, engine.client.dialect);
  await engine.query(`CREATE TABLE rows_ AS SELECT * FROM ${from}`, ...params);
  const shown = await engine.query("SHOW FULL COLUMNS FROM rows_ WHERE Field <> 'ledge_ord'");
  assertEquals(shown.map(([, type, collation]) => [type, collation]), [
    ["int(11)", null],
    ["varchar(9)", "latin1_spanish_ci"],
    ["decimal(20,4)", null],
    ["datetime(3)", null],
  ]);
});
