/**
 * insert(Model) and what it does where a key is taken.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { insert, sql, ValidationError } from "../../mod.ts";
import { Author, Tag } from "./models.ts";
import { type Target, test } from "./setup.ts";

export function insertSuite(target: Target): void {
  test(target, "insert() gives the instances of its rows, defaults included", async (place) => {
    await using session = place.session();
    const result = await session.execute(insert(Author).values([{ name: "Ann" }, { name: "Bo" }]));
    assertEquals(result.all().map(({ name, bio, version }) => [name, bio, version]), [["Ann", null, 1], [
      "Bo",
      null,
      1,
    ]]);
    assertStrictEquals(await session.get(Author, result.all()[0]!.id), result.all()[0]);
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Ann", "Bo"]);
  }, "interactive");

  test(
    target,
    "insert().onConflict() updates the row that is there, and the instance that is loaded",
    async (place) => {
      const ann = new Author({ name: "Ann", bio: "old" });
      const { id } = ann;
      await place.save(ann);
      await using session = place.session();
      const loaded = await session.getOne(Author, id);
      const upsert = insert(Author).values({ id, name: "Anna", bio: "new" });
      const result = await session.execute(upsert.onConflict({ target: ["id"], update: ["name"] }));
      assertStrictEquals(result.one(), loaded);
      assertEquals([loaded.name, loaded.bio, loaded.version], ["Anna", "old", 2]);
      const again = await session.execute(
        upsert.onConflict({ target: ["id"], update: { bio: place.concat(sql`authors.bio`, "er"), name: "An" } }),
      );
      assertEquals([again.one().name, loaded.bio, loaded.version], ["An", "older", 3]);
      assertEquals(session.isModified(loaded), false);
      await session.commit();
      assertEquals(await place.column("authors", "bio"), ["older"]);
    },
    "interactive",
  );

  test(target, "insert().onConflict() leaves the row that is there when it is given no update", async (place) => {
    await place.save(new Tag({ name: "sea" }));
    await using session = place.session();
    const result = await session.execute(
      insert(Tag).values([{ name: "sea" }, { name: "land" }]).onConflict({ target: ["name"] }),
    );
    assertEquals(result.all().map(({ name }) => name), ["land"]);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["land", "sea"]);
  }, "interactive");

  test(target, "insert() refuses what it cannot write, and sends nothing", async (place) => {
    await using session = place.session();
    const refused = (statement: ReturnType<typeof insert<typeof Tag>>) => () => session.execute(statement);
    const count = await place.requests(async () => {
      await assertRejects(refused(insert(Tag)), ValidationError, "values()");
      await assertRejects(refused(insert(Tag).values({ name: 3 as never })), ValidationError, "Tag.name");
      await assertRejects(refused(insert(Tag).values({ nmae: "x" } as never)), ValidationError, "nmae");
      const tag = insert(Tag).values({ name: "x" });
      await assertRejects(refused(tag.onConflict({ target: [] })), ValidationError, "target");
      await assertRejects(refused(tag.onConflict({ target: ["id"], update: ["id"] })), ValidationError, "keys");
    });
    assertEquals(count, 0);
  });
}
