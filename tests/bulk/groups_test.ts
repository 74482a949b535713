/** Where bulk rows go among those of a session, and into which statements. */
import { assertEquals } from "@std/assert";
import { belongsTo, model, t } from "@ledge/session";
import { insertRow, rowContext, updateRow } from "../../src/bulk/rows.ts";
import { fewest, inOrder } from "../../src/bulk/writing.ts";
import { mapperOf } from "../../src/model/mapper.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import type { RowGroup } from "../../src/unit_of_work/order.ts";
import { weave } from "../../src/unit_of_work/weave.ts";

class Author extends model("authors", { id: t.integer().primaryKey(), name: t.text() }) {}
class Book extends model("books", { id: t.integer().primaryKey(), authorId: t.integer().foreignKey() }) {
  declare author?: Author;
  static relations = { author: belongsTo(() => Author, "authorId") };
}
class Review extends model("reviews", { id: t.integer().primaryKey(), bookId: t.integer().foreignKey() }) {
  declare book?: Book;
  static relations = { book: belongsTo(() => Book, "bookId") };
}
class Tag extends model("tags", { id: t.integer().primaryKey() }) {}
class Folder extends model("folders", { id: t.integer().primaryKey(), parentId: t.integer().nullable().foreignKey() }) {
  declare parent?: Folder | null;
  static relations = { parent: belongsTo(() => Folder, "parentId") };
}

const group = (kind: "insert" | "update" | "delete", model: unknown): RowGroup => ({
  kind,
  table: mapperOf(model),
  rows: [],
});

/** The groups in order: the session's in capital letters. */
function woven(own: readonly RowGroup[], bulk: readonly RowGroup[]): string {
  return weave(own, bulk).map((one) => {
    const name = `${one.kind} ${one.table.table}`;
    return own.includes(one) ? name.toUpperCase() : name;
  }).join(", ");
}

Deno.test("weave() puts bulk rows after the session's new rows that they refer to, and before all else", () => {
  const own = [group("insert", Author), group("insert", Review), group("update", Author), group("delete", Tag)];
  assertEquals(
    woven(own, [group("insert", Book)]),
    "INSERT AUTHORS, insert books, INSERT REVIEWS, UPDATE AUTHORS, DELETE TAGS",
  );
  assertEquals(woven(own, [group("insert", Tag)]).startsWith("insert tags, INSERT AUTHORS"), true);
  assertEquals(woven([], [group("insert", Tag)]), "insert tags");
  assertEquals(woven(own, []).split(", ").length, 4);
});

Deno.test("weave() puts an update after the session's new rows of its own table, and an insert before them", () => {
  const own = [group("insert", Author), group("insert", Tag)];
  assertEquals(woven(own, [group("insert", Author)]), "insert authors, INSERT AUTHORS, INSERT TAGS");
  assertEquals(woven(own, [group("update", Author)]), "INSERT AUTHORS, update authors, INSERT TAGS");
});

Deno.test("weave() keeps the order of calls that are about the same tables", () => {
  const own = [group("insert", Author), group("insert", Tag)];
  assertEquals(
    woven(own, [group("update", Author), group("insert", Author), group("insert", Book)]),
    "INSERT AUTHORS, update authors, insert authors, insert books, INSERT TAGS",
  );
});

Deno.test("rows of a self-referencing table go parents first", () => {
  const context = rowContext(mapperOf(Folder), sqlite, "test", {});
  const given = [{ id: 1, parentId: 2 }, { id: 2, parentId: 3 }, { id: 3 }, { id: 4 }];
  const rows = given.map((row, i) => insertRow(context, row, i).change);
  const groups = fewest(rows);
  assertEquals(groups.length, 1);
  const ids = groups[0]!.rows.map(({ cells }) => cells[0]);
  assertEquals([3, 2, 1].map((id) => ids.indexOf(id)).every((at, i, all) => i === 0 || at > all[i - 1]!), true);
});

Deno.test("rows go in as few statements as there can be, in the order of their keys, or in exactly their order", () => {
  const [tags, authors] = [Tag, Author].map((one) => rowContext(mapperOf(one), sqlite, "test", {}));
  const rows = [
    insertRow(tags!, { id: 2 }, 0),
    updateRow(authors!, { id: 2, name: "Bo" }, 1),
    updateRow(authors!, { id: 1, name: "Ann" }, 2),
    insertRow(tags!, { id: 1 }, 3),
  ].map(({ change }) => change);
  const show = (groups: readonly RowGroup[]): unknown[] =>
    groups.map(({ kind, table, rows }) => [
      kind,
      table.table,
      rows.map(({ key, cells }) => kind === "update" ? key[0] : cells[0]),
    ]);
  assertEquals(show(fewest(rows)), [["insert", "tags", [1, 2]], ["update", "authors", [1, 2]]]);
  assertEquals(show(inOrder(rows)), [
    ["insert", "tags", [2]],
    ["update", "authors", [2, 1]],
    ["insert", "tags", [1]],
  ]);
});
