import { assert, assertEquals, assertNotEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ValidationError } from "../../src/errors.ts";
import { Column, t } from "../../src/model/columns.ts";
import { model } from "../../src/model/model.ts";
import { sql } from "../../src/sql/tag.ts";

/** Calls that the compiler refuses, as a user without it could write them. */
// deno-lint-ignore no-explicit-any -- what is tested is what the types forbid
const loose: any = t;

function refuses(declare: () => unknown, says: string): void {
  assertThrows(declare, ValidationError, says);
}

Deno.test("t makes a column of each type when it is called", () => {
  const names = [
    "text",
    "integer",
    "bigint",
    "real",
    "double",
    "boolean",
    "uuid",
    "timestamp",
    "date",
    "json",
    "bytes",
  ];
  for (const name of names) {
    assertEquals(loose[name]().spec, {
      type: { name },
      column: null,
      nullable: false,
      primaryKey: false,
      unique: false,
      makeDefault: null,
      serverDefault: null,
      onUpdate: null,
      generated: null,
      foreignKey: false,
      version: false,
    });
    assertEquals(loose[name]("other_name").spec.column, "other_name");
  }
  assertEquals(t.varchar(20, "c").spec.type, { name: "varchar", length: 20 });
  assertEquals(t.varchar(20, "c").spec.column, "c");
  assertEquals(t.decimal().spec.type, { name: "decimal" });
  assertEquals(t.decimal("c").spec.column, "c");
  assertEquals(t.decimal({ precision: 10, scale: 2 }, "c").spec.type, { name: "decimal", precision: 10, scale: 2 });
  assertEquals(t.decimal({ precision: 10, scale: 2 }, "c").spec.column, "c");
  assertEquals(t.enumeration(["a", "b"], "c").spec.type, { name: "enumeration", values: ["a", "b"] });
  assertEquals(t.enumeration(["a", "b"], "c").spec.column, "c");
  assertEquals(t.array(t.array(t.text()), "c").spec.type, {
    name: "array",
    of: { name: "array", of: { name: "text" } },
  });
  assertEquals(t.array(t.text(), "c").spec.column, "c");
});

Deno.test("t.identity() is a primary key without a default when it is declared", () => {
  const { spec } = t.identity("no");
  assertEquals([spec.type.name, spec.column, spec.primaryKey, spec.makeDefault], ["identity", "no", true, null]);
});

Deno.test("t refuses arguments when they cannot be right", () => {
  refuses(() => t.text(""), "needs the column's name as text");
  refuses(() => t.text("a\0b"), "needs the column's name as text");
  refuses(() => loose.text(5), "needs the column's name as text, not 5");
  refuses(() => loose.varchar(), "t.varchar() needs a length");
  refuses(() => t.varchar(0), "t.varchar() needs a length as a whole number from 1 on, not 0");
  refuses(() => t.varchar(1.5), "not 1.5");
  refuses(() => t.decimal({ precision: 0 }), "a precision");
  refuses(() => t.decimal({ precision: 3, scale: -1 }), "a scale");
  refuses(() => t.decimal({ precision: 3, scale: 4 }), "a precision of at least the scale 4, not 3");
  refuses(() => t.decimal({ scale: 4 }), "a precision of at least the scale 4");
  refuses(() => loose.enumeration([]), "t.enumeration() needs a list of different texts");
  refuses(() => loose.enumeration("ab"), "t.enumeration() needs a list of different texts");
  refuses(() => t.enumeration(["a", "a"]), "t.enumeration() needs a list of different texts");
  refuses(() => loose.enumeration(["a", 1]), "t.enumeration() needs a list of different texts");
  refuses(() => loose.array("text"), "t.array() needs the type of its values");
  refuses(() => t.array(t.text().nullable()), "t.array() takes a type without a name or modifiers");
  refuses(() => t.array(t.text("x")), "t.array() takes a type without a name or modifiers");
  refuses(() => t.array(t.identity()), "t.array() takes a type without a name or modifiers");
});

Deno.test("t.enumeration() keeps its values when the list given to it changes", () => {
  const values: [string, ...string[]] = ["a"];
  const column = t.enumeration(values);
  values.push("b");
  assertEquals(column.spec.type, { name: "enumeration", values: ["a"] });
});

Deno.test("a modifier returns a new column and leaves the old one when it is called", () => {
  const plain = t.text("c");
  const nullable = plain.nullable();
  assert(nullable instanceof Column);
  assertNotEquals<unknown>(plain, nullable);
  assertEquals([plain.spec.nullable, nullable.spec.nullable], [false, true]);
  assertEquals(nullable.spec.column, "c");
  assertThrows(() => (plain.spec as { nullable: boolean }).nullable = true, TypeError);
});

Deno.test("modifiers leave what they say when they are called", () => {
  const expression = sql`now()`;
  const make = () => "x";
  assertEquals(t.text().unique().spec.unique, true);
  assertEquals(t.text().primaryKey().spec.primaryKey, true);
  assertEquals(t.text().foreignKey().spec.foreignKey, true);
  assertEquals(t.integer().version().spec.version, true);
  assertStrictEquals(t.text().serverDefault(expression).spec.serverDefault, expression);
  assertStrictEquals(t.text().generated(expression).spec.generated, expression);
  assertStrictEquals(t.text().onUpdate(make).spec.onUpdate, make);
  assertStrictEquals(t.text().default(make).spec.makeDefault, make);
  assertEquals(t.text().default("y").spec.makeDefault?.(), "y");
  assertEquals(t.text().nullable().default(null).spec.makeDefault?.(), null);
});

Deno.test("default() refuses a value when instances would share it or it is none", () => {
  const shared = "all instances would share this object; pass a function that makes a new one";
  refuses(() => loose.timestamp().default(new Date()), shared);
  refuses(() => loose.json().default({}), shared);
  refuses(() => loose.json().default([]), shared);
  refuses(() => loose.bytes().default(new Uint8Array()), shared);
  refuses(() => loose.text("title").default(undefined), 'The column t.text("title") cannot be given default()');
  refuses(() => loose.text().default(null), "call nullable() before");
  refuses(() => loose.text().default(sql`'x'`), "use serverDefault()");
  refuses(() => loose.enumeration(["a"]).default("b"), '"b" is not one of ["a"]');
});

Deno.test("default() makes an object of its own for each instance when it is given a function", () => {
  class Note extends model("notes", { id: t.identity(), meta: t.json<{ n: number }>().default(() => ({ n: 0 })) }) {}
  const [a, b] = [new Note({}), new Note({})];
  a.meta.n = 1;
  assertEquals(b.meta.n, 0);
});

Deno.test("modifiers refuse what is no expression or function when they need one", () => {
  refuses(() => loose.text().serverDefault("now()"), "an SQL expression is needed");
  refuses(() => loose.text().generated("now()"), "an SQL expression is needed");
  refuses(() => loose.text().onUpdate("x"), "a function is needed");
});

Deno.test("version() refuses a column when it is not an integer", () => {
  for (const name of ["text", "bigint", "double", "timestamp"]) {
    refuses(() => loose[name]().version(), "only t.integer() can be a version");
  }
});

Deno.test("primaryKey() refuses a column when its values do not name a row", () => {
  refuses(() => t.json<string>().primaryKey(), "such values do not name a row");
  refuses(() => t.array(t.text()).primaryKey(), "such values do not name a row");
});

Deno.test("a modifier refuses another when they cannot go together, in either order", () => {
  const calls: Record<string, (column: typeof loose) => typeof loose> = {
    nullable: (c) => c.nullable(),
    primaryKey: (c) => c.primaryKey(),
    unique: (c) => c.unique(),
    default: (c) => c.default(1),
    serverDefault: (c) => c.serverDefault(sql`1`),
    onUpdate: (c) => c.onUpdate(() => 1),
    generated: (c) => c.generated(sql`1`),
    foreignKey: (c) => c.foreignKey(),
    version: (c) => c.version(),
  };
  const refused: Record<string, readonly string[]> = {
    primaryKey: ["nullable", "generated", "onUpdate", "version"],
    version: ["nullable", "unique", "default", "serverDefault", "onUpdate", "generated", "foreignKey"],
    generated: ["default", "serverDefault", "onUpdate", "foreignKey"],
  };
  const together = (a: string, b: string) => !!refused[a]?.includes(b) || !!refused[b]?.includes(a);
  for (const a of Object.keys(calls)) {
    for (const b of Object.keys(calls)) {
      if (a === b) continue;
      const declare = () => calls[b]!(calls[a]!(t.integer()));
      if (together(a, b)) refuses(declare, `The column t.integer() cannot be given ${b}()`);
      else assert(declare() instanceof Column, `${a} and ${b}`);
    }
  }
  for (const b of ["nullable", "default", "serverDefault", "onUpdate", "generated", "foreignKey"]) {
    refuses(() => calls[b]!(t.identity()), `The column t.identity() cannot be given ${b}()`);
  }
  assertEquals(t.identity().unique().spec.unique, true);
});

Deno.test("t.uuid().primaryKey() makes its own values when nothing else does", () => {
  const UUID = /^[0-9a-f-]{36}$/;
  assert(UUID.test(String(t.uuid().primaryKey().spec.makeDefault?.())));
  assertEquals(t.uuid().spec.makeDefault, null);
  assertEquals(t.text().primaryKey().spec.makeDefault, null);
  const own = () => "mine";
  assertStrictEquals(t.uuid().primaryKey().default(own).spec.makeDefault, own);
  assertStrictEquals(t.uuid().default(own).primaryKey().spec.makeDefault, own);
  for (
    const column of [
      t.uuid().primaryKey().foreignKey(),
      t.uuid().foreignKey().primaryKey(),
      t.uuid().primaryKey().serverDefault(sql`gen_random_uuid()`),
      t.uuid().serverDefault(sql`gen_random_uuid()`).primaryKey(),
    ]
  ) {
    assertEquals(column.spec.makeDefault, null);
  }
});
