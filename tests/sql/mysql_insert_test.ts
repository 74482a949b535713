import { assertEquals, assertThrows } from "@std/assert";
import { UnsupportedError, ValidationError } from "../../src/errors.ts";
import { mysql } from "../../src/sql/mysql.ts";
import { sql } from "../../src/sql/tag.ts";
import { table } from "./fixtures.ts";
import { MysqlEngine, test } from "./mysql_engine.ts";
import { authors, everyone, failure, insert, library, nodes, ref } from "./mysql_steps.ts";

const shape = ["step", "from", "to", "guard", "match"] as const;

test("compile() inserts rows whose consecutive keys the first one tells", async () => {
  await using engine = await library();
  const { compiled, results } = await engine.commit(
    insert(authors, ["name"], [["Dee"], ["Eve"]], 0, ["rank"]),
    insert(authors, [], [[], []], 2),
    insert(authors, ["name"], [["Hal"]], 4),
  );
  assertEquals(compiled.map((one) => shape.map((key) => one[key])), [
    [0, 0, 2, false, "consecutive"],
    [1, 0, 2, false, "consecutive"],
    [2, 0, 1, false, "consecutive"],
  ]);
  assertEquals(compiled.map(({ increment }) => increment), [1, 1, 1]);
  assertEquals(results.map(({ insertId }) => insertId), [4, 6, 8]);
  assertEquals((await engine.query(everyone)).slice(3), [
    [4, "Dee", 7, 1],
    [5, "Eve", 7, 1],
    [6, "nobody", 7, 1],
    [7, "nobody", 7, 1],
    [8, "Hal", 7, 1],
  ]);
  assertEquals(compiled[2]!.statement, { sql: "INSERT INTO `authors` (`name`) VALUES (?)", params: ["Hal"] });
});

test("compile() asks for nothing back when the rows bring their keys", async () => {
  await using engine = await library();
  const { compiled, results } = await engine.commit(insert(authors, ["id", "name"], [[90, "Dee"], [80, "Eve"]]));
  assertEquals([compiled[0]!.match, results[0]!.affected], [null, 2]);
  const rows = [[1, null, "root"], [2, ref(nodes, 0, 1), null], [3, 2, sql`concat(${"leaf"}, ${1})`]];
  await engine.commit(insert(nodes, ["id", "parent", "name"], rows));
  assertEquals(await engine.query("SELECT * FROM nodes ORDER BY id"), [[1, null, "root"], [2, 1, null], [
    3,
    2,
    "leaf1",
  ]]);
});

Deno.test("compile() refuses a key that nobody can tell, and one that was not drawn or is not known yet", () => {
  const stamped = table("stamped", { id: { type: "text", primaryKey: true }, n: { type: "integer", nullable: true } });
  const tokens = table("tokens", {
    id: { type: "uuid", primaryKey: true, serverDefault: sql`uuid()` },
    n: { type: "integer" },
  });
  assertThrows(() => mysql().compile([insert(stamped, ["n"], [[1]], 0)]), Error, "cannot be known in MySQL");
  assertThrows(() => mysql().compile([insert(tokens, ["n"], [[1]], 0)]), Error, "were not drawn");
  const open = [[1, ref(nodes, 0)]];
  assertThrows(() => mysql().compile([insert(nodes, ["id", "parent"], open)]), Error, "before its key is known");
});

Deno.test("compile() refuses a key of 0 that MySQL would count, and takes it where it does not", () => {
  for (const zero of [0, -0, 0n, ref(nodes, 0, 0)]) {
    const rows = [[5, "x"], [zero, "y"]];
    assertThrows(
      () => mysql().compile([insert(authors, ["id", "name"], rows)]),
      ValidationError,
      "id of a new row is 0",
    );
    mysql().compile([insert(nodes, ["id", "name"], rows)]);
  }
  mysql().compile([insert(authors, ["id", "name"], [[-1, "x"], [1, "0"]])]);
});

Deno.test("a made part of a key is refused, for rows know one made key only", () => {
  const parts = table("parts", {
    tenant: { type: "integer", primaryKey: true },
    id: { type: "uuid", primaryKey: true, serverDefault: sql`uuid()` },
  });
  const step = insert(parts, ["tenant"], [[1]]);
  for (const call of [() => mysql().drawKeys!(step), () => mysql().compile([step])]) {
    assertThrows(call, UnsupportedError, "a part of a key");
  }
  mysql().compile([insert(parts, ["tenant", "id"], [[1, "x"]])]);
});

test("a statement of several rows fails where the server counts keys in other steps than declared", async () => {
  await using engine = await library();
  const three = insert(authors, ["name"], [["x"], ["y"], ["z"]], 0);
  for (const mode of ["STRICT_ALL_TABLES", ""]) {
    await engine.query("SET auto_increment_increment = 3, sql_mode = ?", mode);
    const message = await failure(engine, three);
    assertEquals(/ledge:increment:3|more than 1 row/.test(message as string), true, String(message));
  }
  assertEquals((await engine.query(everyone)).length, 3);
  await using declared = await engine.connect(mysql({ autoIncrementIncrement: 3 }));
  await declared.query("SET auto_increment_increment = 3");
  const { compiled, results } = await declared.commit(three);
  const first = results[0]!.insertId;
  assertEquals(compiled[0]!.increment, 3);
  assertEquals(await engine.query("SELECT id FROM authors WHERE id > 3 ORDER BY id"), [[first], [first + 3], [
    first + 6,
  ]]);
});

test("drawKeys() makes the keys that expressions make, each its own, and no others", async () => {
  const tokens = table("tokens", {
    id: { type: "uuid", primaryKey: true, serverDefault: sql`uuid()` },
    n: { type: "integer" },
  });
  await using engine = await MysqlEngine.open(tokens, authors);
  const { drawKeys } = engine.client.dialect;
  assertEquals(drawKeys!(insert(authors, ["name"], [["x"]], 0)), null);
  assertEquals(drawKeys!(insert(tokens, ["id", "n"], [["x", 1]])), null);
  const rows = Array.from({ length: 500 }, (_, i) => [i]);
  const { rows: keys } = await engine.client.send(drawKeys!(insert(tokens, ["n"], rows, 0))!);
  assertEquals(new Set(keys.flat()).size, 500);
  await engine.commit(insert(tokens, ["id", "n"], keys.map(([key], i) => [key!, i])));
  const found = await engine.query("SELECT id FROM tokens ORDER BY n");
  assertEquals(found, keys);
});

test("readBack() reads what the database made for written rows, by their keys", async () => {
  await using engine = await library();
  const { readBack } = engine.client.dialect;
  const step = insert(authors, ["name"], [["x"], ["y"]], 0, ["rank", "version"]);
  const [one, ...more] = readBack!(step, [[3], [1]]);
  assertEquals([one!.match, one!.from, one!.to, one!.step, more], ["key", 0, 2, 0, []]);
  assertEquals((await engine.client.send(one!.statement)).rows.toSorted(), [[1, 7, 1], [3, 7, 1]]);
  assertEquals(readBack!({ ...step, returning: [] }, [[3]]), []);
  // Text that comes back need not be the text that was sent.
  const prices = table("prices", {
    at: { type: "timestamp", primaryKey: true },
    amount: { type: { name: "decimal" }, primaryKey: true },
    note: { type: "text", serverDefault: sql`'made'` },
  });
  await engine.create(prices);
  const keys = [["2024-01-02 03:04:05.678", "1.50"], ["2024-01-02 03:04:05.678", "01"]];
  await engine.commit(insert(prices, ["at", "amount"], keys));
  const [back] = readBack!(insert(prices, ["at", "amount"], keys, null, ["note"]), keys);
  assertEquals(back!.match, "position");
  assertEquals((await engine.client.send(back!.statement)).rows.toSorted().map(([at, , , note]) => [at, note]), [
    [0, "made"],
    [1, "made"],
  ]);
});
