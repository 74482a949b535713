/**
 * Queries of Kysely and Drizzle, with their real packages, for each family of databases.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { eq, sql as drizzleSql } from "drizzle-orm";
import { int, mysqlTable, text as mysqlText } from "drizzle-orm/mysql-core";
import { drizzle as mysqlDrizzle } from "drizzle-orm/mysql-proxy";
import { integer, pgTable, text as pgText } from "drizzle-orm/pg-core";
import { drizzle as pgDrizzle } from "drizzle-orm/pg-proxy";
import { integer as sqliteInteger, sqliteTable, text as sqliteText } from "drizzle-orm/sqlite-core";
import { drizzle as sqliteDrizzle } from "drizzle-orm/sqlite-proxy";
import * as kysely from "kysely";
import { type Compilable, ValidationError } from "../../mod.ts";
import { Maker } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

interface Tables {
  makers: { id: kysely.Generated<number>; name: string; version: number };
}

/** Kysely for a dialect, over no driver: it builds and compiles. */
function kyselyOf(name: "sqlite" | "postgres" | "mysql"): kysely.Kysely<Tables> {
  const [adapter, compiler] = name === "sqlite"
    ? [new kysely.SqliteAdapter(), new kysely.SqliteQueryCompiler()]
    : name === "postgres"
    ? [new kysely.PostgresAdapter(), new kysely.PostgresQueryCompiler()]
    : [new kysely.MysqlAdapter(), new kysely.MysqlQueryCompiler()];
  return new kysely.Kysely({
    dialect: {
      createAdapter: () => adapter,
      createDriver: () => new kysely.DummyDriver(),
      createIntrospector: (db) => new kysely.SqliteIntrospector(db),
      createQueryCompiler: () => compiler,
    },
  });
}

/** The same queries in Drizzle, for a dialect: insert, select, delete. */
function drizzleOf(name: "sqlite" | "postgres" | "mysql"): Compilable[] {
  const never = () => Promise.reject(new Error("nothing is run by Drizzle"));
  if (name === "sqlite") {
    const db = sqliteDrizzle(never);
    const makers = sqliteTable("makers", {
      id: sqliteInteger("id"),
      name: sqliteText("name"),
      version: sqliteInteger("version"),
    });
    return [
      db.insert(makers).values({ name: "d", version: drizzleSql`1` }),
      db.select({ name: makers.name }).from(makers).where(eq(makers.name, "d")),
      db.delete(makers).where(eq(makers.name, "d")),
    ];
  }
  if (name === "postgres") {
    const db = pgDrizzle(never);
    const makers = pgTable("makers", {
      id: integer("id").generatedAlwaysAsIdentity(),
      name: pgText("name"),
      version: integer("version"),
    });
    return [
      db.insert(makers).values({ name: "d", version: 1 }),
      db.select({ name: makers.name }).from(makers).where(eq(makers.name, "d")),
      db.delete(makers).where(eq(makers.name, "d")),
    ];
  }
  const db = mysqlDrizzle(never);
  const makers = mysqlTable("makers", {
    id: int("id").autoincrement(),
    name: mysqlText("name"),
    version: int("version"),
  });
  return [
    db.insert(makers).values({ name: "d", version: 1 }),
    db.select({ name: makers.name }).from(makers).where(eq(makers.name, "d")),
    db.delete(makers).where(eq(makers.name, "d")),
  ];
}

/** Registers the tests of other builders' queries. */
export function otherBuilderSuite(target: Target): void {
  test(target, "session.execute() runs queries of Kysely", async (place) => {
    await using session = place.session();
    const db = kyselyOf(place.db.dialect.name);
    const inserted = await session.execute(db.insertInto("makers").values({ name: "k", version: 1 }));
    assertEquals(inserted.rowsAffected, 1);
    const select = db.selectFrom("makers").select(["name", "version"]).where("name", "=", "k");
    assertEquals((await session.execute(select)).all(), [{ name: "k", version: 1 }]);
    assertEquals(await session.scalar(select), "k");
    const maker = await session.query(Maker).one();
    assertEquals((await session.execute(db.deleteFrom("makers").where("id", "=", maker.id))).rowsAffected, 1);
    await session.commit();
    assertEquals(await place.rows("makers"), 0);
  }, "interactive");

  test(target, "session.execute() runs queries of Drizzle", async (place) => {
    await using session = place.session();
    const [insert, select, remove] = drizzleOf(place.db.dialect.name);
    assertEquals((await session.execute(insert!)).rowsAffected, 1);
    assertEquals((await session.execute(select!)).all(), [{ name: "d" }]);
    assertEquals((await session.execute(remove!)).rowsAffected, 1);
    await session.commit();
    assertEquals(await place.rows("makers"), 0);
  }, "interactive");

  test(target, "session.stage() lets queries of Kysely and Drizzle travel with the commit", async (place) => {
    await using session = place.session();
    const { name } = place.db.dialect;
    const staged = session.stage(kyselyOf(name).insertInto("makers").values({ name: "k", version: 1 }));
    session.stage(drizzleOf(name)[0]!);
    await session.commit();
    assertEquals([staged.result.rowsAffected, await place.column("makers", "name")], [1, ["d", "k"]]);
  });

  test(
    target,
    "queries that were plainly made for another database are refused, and nothing is sent",
    async (place) => {
      await using session = place.session();
      const others = (["sqlite", "postgres", "mysql"] as const).filter((name) => name !== place.db.dialect.name);
      await sendsNothing(place, async () => {
        for (const name of others) {
          const select = kyselyOf(name).selectFrom("makers").select("name").where("name", "=", "k");
          for (const query of [select, ...drizzleOf(name)]) {
            await refused(() => session.execute(query), ValidationError, "another database", place.db.dialect.name);
          }
        }
      });
    },
  );
}
