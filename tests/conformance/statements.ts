/**
 * Statements with values by name, with many sets of values, and of other builders' shapes.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { UniqueViolationError, update, ValidationError } from "../../mod.ts";
import { Maker, Stock, Tag } from "./models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

const id = (digit: number) => `00000000-0000-4000-8000-00000000000${digit}`;

/** The placeholder of a position. */
const at = (place: Place, position: number) => place.db.dialect.placeholder(position);

/** Registers the tests of statements and their values. */
export function statementSuite(target: Target): void {
  for (const mark of [":", "@", "$"]) {
    test(target, `session.execute() takes values by name, as ${mark}name`, async (place) => {
      await place.save(new Tag({ name: "sea" }), new Tag({ name: "land" }));
      await using session = place.session();
      if (mark !== ":" && place.db.dialect.name === "mysql") {
        // A variable, or part of a name.
        await refused(() => session.execute(`SELECT ${mark}name`, { name: 1 }), ValidationError, ":name");
        return;
      }
      const text = `SELECT name FROM tags WHERE name = ${mark}name OR name = ${mark}other OR name = ${mark}name`;
      assertEquals((await session.execute(text, { name: "sea", other: "air" })).all(), [{ name: "sea" }]);
      assertEquals(await session.scalar(text, { other: "land", name: "x" }), "land");
      assertEquals((await session.scalars(text, { other: "land", name: "sea" })).all().length, 2);
      assertEquals(await session.first(text, { other: "x", name: "x" }), null);
    });
  }

  test(
    target,
    "session.execute() finds names outside strings, comments, casts and quoted names only",
    async (place) => {
      await using session = place.session();
      const quoted = place.db.dialect.quote("a:b");
      const result = await session.execute(`SELECT ':no' AS ${quoted} /* :no */ WHERE 1 = :one -- :no`, { one: 1 });
      assertEquals(result.one(), { "a:b": ":no" });
      if (place.db.dialect.name !== "postgres") return;
      assertEquals(await session.scalar("SELECT :one::integer + cardinality((ARRAY[1, 2, 3])[2:3])", { one: 1 }), 3);
    },
  );

  test(
    target,
    "session.execute() refuses names without a value, values without a name, and a mixture",
    async (place) => {
      await using session = place.session();
      await sendsNothing(place, async () => {
        const text = "SELECT :a";
        await refused(() => session.execute(text, { b: 1 }), ValidationError, ":a", "no value");
        await refused(() => session.execute(text, { a: 1, b: 1 }), ValidationError, ":b", "no placeholder");
        await refused(() => session.execute(text, { a: undefined }), ValidationError, ":a");
        await refused(() => session.execute(text, { a: {} }), ValidationError, ":a", "JSON.stringify");
        await refused(() => session.execute(text, [1]), ValidationError, "named values", "a: …");
        await refused(() => session.execute(text), ValidationError, "named values");
        await refused(() => session.execute(text, Object.create({ a: 1 })), ValidationError, ":a");
        await refused(() => session.execute(`SELECT ${at(place, 1)}`, { a: 1 }), ValidationError, "as an array");
        await refused(() => session.execute(`SELECT ${at(place, 1)}, :a`, { a: 1 }), ValidationError, "names, or none");
        await refused(() => session.execute("SELECT 1", { a: 1 }), ValidationError, ":a", "no placeholder");
        await refused(() => session.execute(text, 5 as never), ValidationError, "an array");
        await refused(() => session.execute(text, [{ a: 1 }, { b: 1 }]), ValidationError, "run 2", ":a");
        await refused(() => session.execute(text, [{ a: 1 }, [1]]), ValidationError, "named values");
      });
    },
  );

  test(target, "session.execute() runs a statement once for each set of values, in one request", async (place) => {
    await using session = place.session();
    await session.start();
    const byPlace = `INSERT INTO tags (id, name) VALUES (${at(place, 1)}, ${at(place, 2)})`;
    const count = await place.requests(async () => {
      const result = await session.execute(byPlace, [[id(1), "a"], [id(2), "b"], [id(3), "c"]]);
      assertEquals([result.rowsAffected, result.all()], [3, []]);
    });
    if (target.expects.batches) assertEquals(count, 1);
    const byName = "INSERT INTO tags (id, name) VALUES (:id, :name)";
    assertEquals((await session.execute(byName, [{ id: id(4), name: "d" }])).rowsAffected, 1);
    const read = `SELECT name FROM tags WHERE name = ${at(place, 1)}`;
    assertEquals((await session.scalars(read, [["d"], ["nobody"], ["a"]])).all(), ["d", "a"]);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["a", "b", "c", "d"]);
  }, "interactive");

  test(target, "session.execute() reads with many sets of values in one request", async (place) => {
    await place.save(new Tag({ name: "sea" }), new Tag({ name: "land" }));
    await using session = place.session();
    const text = `SELECT name FROM tags WHERE name = ${at(place, 1)}`;
    let names: unknown[] = [];
    const count = await place.requests(async () => {
      names = (await session.scalars(text, [["land"], ["sea"]])).all();
    });
    assertEquals([names, count], [["land", "sea"], place.reads(2)]);
  });

  test(target, "a rollback undoes every run of a statement", async (place) => {
    await using session = place.session();
    const text = `INSERT INTO tags (id, name) VALUES (${at(place, 1)}, ${at(place, 2)})`;
    await refused(() => session.execute(text, [[id(1), "a"], [id(1), "b"]]), UniqueViolationError);
    await session.rollback();
    assertEquals([await place.rows("tags"), session.state], [0, "open"]);
  }, "interactive");

  test(target, "session.execute() refuses sets of values that do not fit, and sends nothing", async (place) => {
    await using session = place.session();
    const text = `SELECT ${at(place, 1)}`;
    await sendsNothing(place, async () => {
      await refused(() => session.execute(text, [[1], [1, 2]]), ValidationError, "Run 2", "[[…]]");
      await refused(() => session.execute(text, [[1], [undefined]]), ValidationError, "Value 1 of run 2");
      await refused(() => session.stage(text, [[1], [2]]), ValidationError, "One set");
      await refused(() => session.execute(update(Stock).set({ left: 1 }), [1] as never), ValidationError, "no others");
    });
  });

  test(target, "session.execute() takes what has compile() or toSQL()", async (place) => {
    await place.save(new Tag({ name: "sea" }));
    await using session = place.session();
    const sql = `SELECT name FROM tags WHERE name = ${at(place, 1)}`;
    const kysely = { compile: () => ({ sql, parameters: ["sea"] }) };
    const drizzle = { toSQL: () => ({ sql, params: ["sea"] }) };
    for (const query of [kysely, drizzle]) {
      assertEquals((await session.execute(query)).all(), [{ name: "sea" }]);
      assertEquals([await session.scalar(query), await session.first(query)], ["sea", { name: "sea" }]);
    }
    const { dialect } = place.db;
    const foreign = dialect.placeholder(1) === "$1" ? "SELECT ?" : "SELECT $1";
    const quotes = dialect.quote("a") === "`a`" ? '"' : "`";
    await sendsNothing(place, async () => {
      await refused(() => session.execute(kysely, [1]), ValidationError, "no others");
      const broken = { toSQL: () => ({ sql, params: 1 }) };
      await refused(() => session.execute(broken as never), ValidationError, "toSQL()");
      for (const text of [foreign, `SELECT ${quotes}name${quotes} FROM tags WHERE name = ${at(place, 1)}`]) {
        const wrong = { compile: () => ({ sql: text, parameters: [1] }) };
        await refused(() => session.execute(wrong), ValidationError, "another database", dialect.name);
      }
      const two = { compile: () => ({ sql: `${sql}; DELETE FROM tags`, parameters: ["a"] }) };
      await refused(() => session.execute(two), ValidationError, "one statement");
      await refused(() => session.execute({} as never), ValidationError, "builder");
    });
  });

  test(target, "session.stage() takes values by name, and what has compile()", async (place) => {
    await using session = place.session();
    const { dialect } = place.db;
    session.stage("INSERT INTO makers (name, version) VALUES (:name, 1)", { name: "a" });
    const text = `UPDATE makers SET name = ${dialect.placeholder(1)}`;
    const staged = session.stage({ compile: () => ({ sql: text, parameters: ["b"] }) });
    await session.commit();
    assertEquals([staged.result.rowsAffected, await place.column("makers", "name")], [1, ["b"]]);
    assertEquals((await session.query(Maker).one()).name, "b");
  });
}
