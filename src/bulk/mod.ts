/**
 * Many rows at once: writes past the identity map, and references to rows that are there already.
 *
 * @example
 * ```ts
 * import { createAll, model, Session, t } from "@ledge/session";
 * import { bulkInsert } from "@ledge/session/bulk";
 * import { libsql } from "@ledge/session/libsql/local";
 *
 * class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 * await using session = new Session({ bind: db });
 * await bulkInsert(session, Book, [{ title: "Edges" }, { title: "Shores" }]);
 * await session.commit(); // one request
 * ```
 *
 * @module
 */
export {
  type Bulk,
  bulk,
  type BulkOptions,
  type BulkScope,
  type ResolveOptions,
  type UnresolvedReference,
  UnresolvedReferenceError,
} from "./bulk.ts";
export { reference, type UniqueKey } from "./reference.ts";
export {
  bulkInsert,
  type BulkInsertOptions,
  bulkSave,
  type BulkSaveOptions,
  bulkUpdate,
  type BulkUpdateRow,
} from "./save.ts";
