/** What compiles: the checks are the compiler's, and nothing of it runs. */
import { assertEquals } from "@std/assert";
import { model, type Session, sql, t } from "@ledge/session";
import { bulk, bulkInsert, bulkSave, bulkUpdate, reference } from "@ledge/session/bulk";

class Book extends model("books", {
  id: t.identity(),
  title: t.text(),
  isbn: t.text().unique(),
  pages: t.integer().nullable(),
  version: t.integer().version(),
}) {}

Deno.test("the types of bulk are those of the models", () => assertEquals(calls.length, 1));

async function calls(session: Session): Promise<void> {
  const rows = await bulkInsert(session, Book, [{ title: "Edges", isbn: "1" }], { returnDefaults: true });
  const id: number = rows[0]!.id;
  const pages: number | null = rows[0]!.pages;
  const nothing: void = await bulkInsert(session, Book, [{ title: "Edges", isbn: "1", pages }]);
  // @ts-expect-error: a title is needed
  await bulkInsert(session, Book, [{ isbn: "1" }]);
  // @ts-expect-error: no such column
  await bulkInsert(session, Book, [{ title: "Edges", isbn: "1", author: "Ann" }]);
  await bulkUpdate(session, Book, [{ id, pages: sql`pages + 1`, version: 3 }, { id, title: "Shores" }]);
  // @ts-expect-error: the key is needed
  await bulkUpdate(session, Book, [{ title: "Shores" }]);
  // @ts-expect-error: a title is text
  await bulkUpdate(session, Book, [{ id, title: 3 }]);
  // @ts-expect-error: objects of models only
  await bulkSave(session, [{ title: "Edges" }]);
  const book: Book = reference(Book, { isbn: "1" });
  reference(Book, 1);
  reference(Book, { id: 1 });
  // @ts-expect-error: no such column
  reference(Book, { nmae: "x" });
  const books: Book[] = await bulk(session, async (b) => {
    const same: Book = b.add(book);
    await b.resolve({ scope: "references", strategy: "hydrate", raiseErrors: false });
    // @ts-expect-error: no such strategy
    await b.resolve({ strategy: "lazy" });
    return [same, ...b.get(Book, { resolved: true, scope: "all" })];
  });
  void [nothing, books];
}
