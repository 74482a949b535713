import { assertEquals } from "@std/assert";
import type { Step } from "../../src/sql/step.ts";
import { columns, table } from "./fixtures.ts";
import { MysqlEngine, test } from "./mysql_engine.ts";
import { authors, failure, insert, library, nodes, remove } from "./mysql_steps.ts";

test("compile() deletes rows, and checks unchecked ones only where they say what they must be like", async () => {
  await using engine = await library();
  const plain = await engine.commit(remove([{ key: [1] }, { key: [77] }], false));
  assertEquals([plain.results[0]!.affected, await engine.query("SELECT id FROM authors")], [1, [[2], [3]]]);
  const rows = [{ key: [77] }, { key: [2], version: 1 }, { key: [3], version: 4 }];
  assertEquals(await failure(engine, remove(rows, false)), { step: 0, rows: [2] });
  assertEquals(await failure(engine, remove([{ key: [2], version: 3 }], true)), { step: 0, rows: [0] });
  assertEquals(await engine.query("SELECT id FROM authors"), [[2], [3]]);
  const mixed = await engine.commit(remove([{ key: [77] }, { key: [3], version: 1 }], false));
  assertEquals([mixed.results[0]!.affected, await engine.query("SELECT id FROM authors")], [1, [[2]]]);
  await engine.commit(insert(authors, ["id"], [[3]]));
  const checked = await engine.commit(remove([{ key: [2], version: 1 }, { key: [3], version: 1 }], true));
  assertEquals([checked.results[0]!.affected, await engine.query("SELECT id FROM authors")], [2, []]);
});

test("compile() deletes rows that refer to each other in the order given, though their keys go the other way", async () => {
  await using engine = await library();
  const family = insert(nodes, ["id", "parent"], [[1, null], [2, 1], [3, 2]]);
  const all = [3, 2, 1].map((id) => ({ key: [id] }));
  for (const checked of [true, false]) {
    await engine.commit(family);
    await engine.commit(remove(all, checked, nodes));
    assertEquals(await engine.query("SELECT id FROM nodes"), []);
  }
  await engine.commit(family);
  assertEquals(await failure(engine, remove([...all, { key: [9] }], true, nodes)), { step: 0, rows: [3] });
  assertEquals((await engine.query("SELECT id FROM nodes")).length, 3);
});

test("compile() deletes rows that refer to themselves or in a circle, and says how many there were", async () => {
  await using engine = await library();
  const circle = insert(nodes, ["id", "parent"], [[1, 1], [2, 1], [3, 2]]);
  const within = (ids: readonly number[], checked: boolean): Step => ({
    ...remove(ids.map((id) => ({ key: [id] })), checked, nodes),
    refersWithin: true,
  });
  for (const checked of [true, false]) {
    await engine.commit(circle);
    await engine.query("UPDATE nodes SET parent = 3 WHERE id = 2");
    const { compiled, results } = await engine.commit(within([1, 2, 3], checked));
    assertEquals(compiled.map(({ guard }) => guard), checked ? [true, true, false] : [true, false]);
    assertEquals(results.at(-1)!.affected, 3);
    assertEquals(await engine.query("SELECT id FROM nodes"), []);
  }
  await engine.commit(insert(nodes, ["id", "parent"], [[1, 1]]));
  assertEquals(await failure(engine, within([2], true)), { step: 0, rows: [0] });
  await engine.commit(within([1], true));
  // The rows are known to be apart, or the database sees to those that refer to them.
  const cascade = { ...nodes, foreignKeys: [{ ...nodes.foreignKeys[0]!, onDelete: "cascade" as const }] };
  const plain = [
    { ...within([1, 2], true), refersWithin: false } as Step,
    { ...within([1, 2], true), table: cascade } as Step,
  ];
  // How many rows it changed says nothing where a cascade may have taken them before.
  assertEquals(engine.client.dialect.compile(plain).map(({ guard }) => guard), [false, true]);
});

test("compile() counts unchecked rows that a cascade takes too, by deleting them in the order given", async () => {
  const folders = table("folders", {
    id: { type: "integer", primaryKey: true },
    parent: { type: "integer", nullable: true },
  }, { parent: "self" });
  const cascading = { ...folders, foreignKeys: [{ ...folders.foreignKeys[0]!, onDelete: "cascade" as const }] };
  await using engine = await MysqlEngine.open(cascading);
  for (const more of [{}, { refersWithin: true }]) {
    await engine.commit(insert(cascading, ["id", "parent"], [[1, null], [2, 1], [3, 2]]));
    const all = { ...remove([3, 2, 1, 9].map((id) => ({ key: [id] })), false, cascading), ...more };
    const { results } = await engine.commit(all);
    assertEquals([results[0]!.affected, await engine.query("SELECT id FROM folders")], [3, []]);
  }
});

test("compile() deletes every row of a partial key, as of a link table", async () => {
  const links = table("links", { a: { type: "uuid", primaryKey: true }, b: { type: "integer", primaryKey: true } });
  await using engine = await MysqlEngine.open(links);
  const [x, y] = [crypto.randomUUID() as string, crypto.randomUUID() as string];
  await engine.commit(insert(links, ["a", "b"], [[x, 1], [x, 2], [y, 1], [y, 2]]));
  const { results } = await engine.commit(
    remove([{ key: [y, 2] }], false, links),
    remove([{ key: [x] }], false, { ...links, key: columns(links, "a") }),
  );
  assertEquals(results.map(({ affected }) => affected), [1, 2]);
  assertEquals(await engine.query("SELECT a, b FROM links"), [[y, 1]]);
});
