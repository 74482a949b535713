/**
 * `insert`, `update` and `deleteFrom`: builders, each with what runs its statements. A session runs them without knowing more.
 *
 * @module
 */
import type { Declared } from "../model/declared.ts";
import { mapperOf } from "../model/mapper.ts";
import type { AnyModel } from "../model/types.ts";
import { type InsertNode, insertNode, InsertStatement } from "../query/insert.ts";
import { DeleteStatement, UpdateStatement, type WriteNode, writeNode } from "../query/write.ts";
import { WriteWork } from "../query/write_work.ts";
import { prepareInsert, prepareWrite, stageInsert, stageWrite } from "./writing.ts";

const INSERTS: WriteWork<InsertNode> = /* @__PURE__ */ new WriteWork(prepareInsert, stageInsert);
const WRITES: WriteWork<WriteNode> = /* @__PURE__ */ new WriteWork(prepareWrite, stageWrite);

/**
 * An INSERT, to be given to `session.execute`, which gives the instances of the rows that were inserted or updated; those
 * that are loaded are brought up to date.
 *
 * @example
 * ```ts
 * import { createAll, insert, model, Session, sql, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Page extends model("pages", { path: t.text().primaryKey(), visits: t.integer().default(1) }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Page]);
 * await using session = new Session({ bind: db });
 * const visit = insert(Page).values({ path: "/" })
 *   .onConflict({ target: ["path"], update: { visits: sql`pages.visits + 1` } });
 * await session.execute(visit);
 * const result = await session.execute(visit);
 * assertEquals(result.one().visits, 2);
 * await session.commit();
 * ```
 */
export function insert<M extends AnyModel>(model: M & Declared<M>): InsertStatement<InstanceType<M>> {
  return new InsertStatement(insertNode(mapperOf(model)), INSERTS);
}

/**
 * An UPDATE, to be given to `session.execute` (at once, in an interactive transaction) or `session.stage` (with the
 * commit). Instances that are loaded are brought up to date.
 *
 * @example
 * ```ts
 * import { createAll, model, Session, sql, t, update } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Page extends model("pages", { path: t.text().primaryKey(), visits: t.integer().default(0) }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Page]);
 * await using session = new Session({ bind: db });
 * const home = session.add(new Page({ path: "/" }));
 * const visit = update(Page).set({ visits: sql`visits + 1` }).where({ path: "/" });
 * assertEquals((await session.execute(visit)).rowsAffected, 1);
 * assertEquals(home.visits, 1);
 * await session.commit();
 * ```
 */
export function update<M extends AnyModel>(model: M & Declared<M>): UpdateStatement<InstanceType<M>> {
  return new UpdateStatement(writeNode("update", mapperOf(model)), WRITES);
}

/**
 * A DELETE, to be given to `session.execute` (at once, in an interactive transaction) or `session.stage` (with the commit).
 * Instances of its rows that are loaded become deleted, and so do those that the database deletes with them. Cascades of
 * the session do not run: `session.delete` has them.
 *
 * @example
 * ```ts
 * import { createAll, deleteFrom, model, Session, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Page extends model("pages", { path: t.text().primaryKey(), visits: t.integer().default(0) }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Page]);
 * await using session = new Session({ bind: db });
 * session.addAll([new Page({ path: "/" }), new Page({ path: "/old", visits: 9 })]);
 * const gone = await session.execute(deleteFrom(Page).where({ visits: 0 }).returning(["path"]));
 * assertEquals(gone.all(), [{ path: "/" }]);
 * await session.commit();
 * ```
 */
export function deleteFrom<M extends AnyModel>(model: M & Declared<M>): DeleteStatement<InstanceType<M>> {
  return new DeleteStatement(writeNode("delete", mapperOf(model)), WRITES);
}
