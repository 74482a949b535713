import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ValidationError } from "../../src/errors.ts";
import { t } from "../../src/model/columns.ts";
import { model } from "../../src/model/model.ts";
import { belongsTo, hasMany, hasOne, manyToMany, Relation } from "../../src/model/relations.ts";

class Target extends model("targets", { id: t.identity(), a: t.integer(), b: t.integer() }) {}
const target = () => Target;
const through = { through: "between", from: "owner_id", to: "target_id" };

/** Calls that the compiler refuses, as a user without it could write them. */
// deno-lint-ignore no-explicit-any -- what is tested is what the types forbid
const loose: any = { belongsTo, hasOne, hasMany, manyToMany };

Deno.test("belongsTo(), hasOne() and hasMany() leave what they were given when they are called", () => {
  const base = { target, foreignKey: ["a"], cascade: ["save"], onDelete: null, through: null };
  assertEquals<unknown>(belongsTo(target, "a").spec, { kind: "belongsTo", ...base });
  assertEquals<unknown>(hasOne(target, "a").spec, { kind: "hasOne", ...base });
  assertEquals<unknown>(hasMany(target, "a").spec, { kind: "hasMany", ...base });
  assertEquals(belongsTo(target, "a", { onDelete: "set null" }).spec.onDelete, "set null");
  assertEquals(hasMany(target, ["a", "b"]).spec.foreignKey, ["a", "b"]);
  assert(hasMany(target, "a") instanceof Relation);
  assertStrictEquals(hasMany(target, "a").spec.target(), Target);
});

Deno.test("manyToMany() leaves the table between when it is called", () => {
  const { spec } = manyToMany(target, { ...through, to: ["t1", "t2"] });
  assertEquals(spec.through, { table: "between", from: ["owner_id"], to: ["t1", "t2"] });
  assertEquals([spec.kind, ...spec.foreignKey, ...spec.cascade], ["manyToMany", "save"]);
});

Deno.test("a relation asks for its target only when it is used", () => {
  const relation = hasMany(() => Later, "id");
  class Later extends model("later", { id: t.identity() }) {}
  assertStrictEquals(relation.spec.target(), Later);
});

Deno.test("cascade replaces the default when it is given, in a fixed order", () => {
  assertEquals(hasMany(target, "a", { cascade: [] }).spec.cascade, []);
  assertEquals(hasMany(target, "a", { cascade: ["delete"] }).spec.cascade, ["delete"]);
  assertEquals(hasMany(target, "a", { cascade: ["delete", "save", "delete"] }).spec.cascade, ["save", "delete"]);
  assertEquals(belongsTo(target, "a", { cascade: ["delete"] }).spec.cascade, ["delete"]);
  assertEquals(manyToMany(target, { ...through, cascade: ["delete"] }).spec.cascade, ["delete"]);
});

Deno.test("deleteOrphan brings delete when it is given to hasOne() or hasMany()", () => {
  assertEquals(hasMany(target, "a", { cascade: ["deleteOrphan"] }).spec.cascade, ["delete", "deleteOrphan"]);
  assertEquals(hasOne(target, "a", { cascade: ["save", "deleteOrphan"] }).spec.cascade, [
    "save",
    "delete",
    "deleteOrphan",
  ]);
});

Deno.test("deleteOrphan is refused when the related instance may have other owners", () => {
  const cascade = ["deleteOrphan"];
  assertThrows(
    () => loose.belongsTo(target, "a", { cascade }),
    ValidationError,
    "belongsTo() cannot cascade deleteOrphan",
  );
  assertThrows(
    () => loose.manyToMany(target, { ...through, cascade }),
    ValidationError,
    "declare it on hasOne() or hasMany()",
  );
});

Deno.test("relations refuse arguments when they cannot be right", () => {
  const refuses = (declare: () => unknown, says: string) => assertThrows(declare, ValidationError, says);
  refuses(() => loose.hasMany(undefined, "a"), "hasMany() needs a function that returns the model");
  refuses(() => loose.hasMany(Target, "a"), "hasMany() needs a function that returns the model, such as () => Author");
  refuses(() => loose.belongsTo(target), "belongsTo() needs the foreign key");
  refuses(() => loose.hasOne(target, []), "hasOne() needs the foreign key");
  refuses(() => loose.hasOne(target, ["a", 1]), "hasOne() needs the foreign key");
  refuses(() => loose.hasMany(target, ["a", "a"]), "hasMany() was given a name twice in the foreign key");
  refuses(() => loose.hasMany(target, "a", { cascade: ["all"] }), 'hasMany() does not know the cascade "all"');
  refuses(() => loose.hasMany(target, "a", { cascade: "save" }), 'hasMany() does not know the cascade "save"');
  refuses(() => loose.belongsTo(target, "a", { onDelete: "CASCADE" }), 'belongsTo() does not know onDelete "CASCADE"');
  refuses(() => loose.manyToMany(target), "manyToMany() needs the table between");
  refuses(
    () => loose.manyToMany(target, { through: "x", to: "y" }),
    "manyToMany() needs the columns of the owner (from)",
  );
  refuses(
    () => loose.manyToMany(target, { through: "x", from: "y" }),
    "manyToMany() needs the columns of the target (to)",
  );
  refuses(() => loose.manyToMany(target, { ...through, through: ["a", "b"] }), "manyToMany() needs the table between");
});

Deno.test("a relation cannot be changed when it is declared", () => {
  const { spec } = hasMany(target, "a");
  assertThrows(() => (spec.foreignKey as string[]).push("b"), TypeError);
  assertThrows(() => (spec as { kind: string }).kind = "hasOne", TypeError);
});
