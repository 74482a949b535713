/**
 * Tables made from models, and dropped.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { belongsTo, createAll, ddl, dropAll, model, StatementError, t } from "../../mod.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

class Ladder extends model("ladders", { id: t.identity(), name: t.text() }) {}
class Rung extends model("rungs", { id: t.identity(), ladderId: t.integer("ladder_id").foreignKey() }) {
  declare ladder?: Ladder;
  static relations = { ladder: belongsTo(() => Ladder, "ladderId") };
}

/** Children first: the order of the tables is Ledge's to find. */
const MODELS = [Rung, Ladder];

export function schemaSuite(target: Target): void {
  test(target, "createAll() makes the tables of models, and leaves those that are there", async (place) => {
    await dropAll(place.db, MODELS);
    try {
      await createAll(place.db, MODELS);
      await saveRung(place);
      await createAll(place.db, MODELS);
      assertEquals([await place.rows("ladders"), await place.rows("rungs")], [1, 1]);
    } finally {
      await dropAll(place.db, MODELS);
    }
  });

  test(
    target,
    "dropAll() drops the tables of models with their rows, and does not mind those that are gone",
    async (place) => {
      await createAll(place.db, MODELS);
      await saveRung(place);
      const sent = await place.requests(() => dropAll(place.db, MODELS));
      // Over a socket alone each statement is a trip, with BEGIN in the first and COMMIT in the last.
      assertEquals(sent, place.target.expects.coalesces ? 1 : MODELS.length);
      await using session = place.session();
      await refused(() => session.query(Ladder).all(), StatementError, "ladders");
      await refused(() => session.query(Rung).all(), StatementError, "rungs");
      await dropAll(place.db, MODELS);
    },
  );

  test(target, "ddl() gives the statements that make the tables, and runs none", async (place) => {
    const statements = await sendsNothing(place, () => ddl(MODELS, place.db.dialect));
    try {
      for (const statement of statements) await place.db.execute(statement);
      await saveRung(place);
      assertEquals(await place.rows("rungs"), 1);
    } finally {
      await dropAll(place.db, MODELS);
    }
  });
}

/** Saves a ladder, whose key the server makes, and a rung of it. */
async function saveRung(place: Place): Promise<void> {
  await using session = place.session();
  const ladder = session.add(new Ladder({ name: "oak" }));
  session.add(Rung.create({ ladder }));
  await session.commit();
}
