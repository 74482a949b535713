/** A session manager over a storage that is not an AsyncLocalStorage. */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type ContextStorage,
  createAll,
  createSessionManager,
  InvalidStateError,
  model,
  scopedSession,
  type SessionContext,
  sessionFactory,
  t,
  ValidationError,
} from "@ledge/session";
import { libsql } from "@ledge/session/libsql/local";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

/** A storage that belongs to one request, as a framework's context object does: it is handed from call to call. */
function storageOfRequest(): ContextStorage {
  const stack: SessionContext[] = [];
  return {
    getStore: () => stack.at(-1),
    run(context, fn) {
      stack.push(context);
      const result = fn();
      const leave = () => void stack.splice(stack.lastIndexOf(context), 1);
      if (result instanceof Promise) result.then(leave, leave);
      else leave();
      return result;
    },
  };
}

Deno.test("createSessionManager() manages sessions in a storage of the caller's", async () => {
  await using db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  const using = sessionFactory({ bind: db });
  const request = async (title: string) => {
    const { sessionManager, currentSession } = createSessionManager(storageOfRequest());
    await sessionManager({ using, autoCommit: true }, async (session) => {
      await Promise.resolve();
      assertStrictEquals(currentSession(), session);
      currentSession().add(new Book({ title }));
      await sessionManager({ new: true }, async (inner) => {
        await Promise.resolve();
        assertEquals([inner === session, currentSession() === inner, inner.new.size], [false, true, 0]);
      });
      assertStrictEquals(currentSession(), session);
      assertEquals(session.new.size, 1);
    });
    await Promise.resolve();
    assertThrows(() => currentSession(), InvalidStateError, "There is no current session");
  };
  await Promise.all(["Edges", "Shores", "Tides"].map(request));
  assertEquals((await db.execute({ sql: "SELECT count(*) FROM books", params: [] })).rows, [[3]]);
});

Deno.test("createSessionManager() refuses what is no storage", () => {
  for (const storage of [undefined, {}, { run: () => {} }]) {
    assertThrows(() => createSessionManager(storage as never), ValidationError, "run() and getStore()");
  }
});

Deno.test("scopedSession() works with a scope of the caller's where there is no async context", async () => {
  await using db = libsql({ url: ":memory:" });
  let request: object | undefined;
  const session = scopedSession(sessionFactory({ bind: db }), () => request);
  const [one, two] = [{}, {}].map((next) => {
    request = next;
    return session();
  });
  assertEquals(one === two, false);
  assertStrictEquals(session(), two);
  request = undefined;
  assertThrows(() => session(), InvalidStateError);
});

Deno.test("the core and bulk import no node: module; context is the only entry point that does", async () => {
  const importers: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, import.meta.url))) {
      if (isDirectory) await walk(`${folder}${name}/`);
      else if (/from "node:/.test(await Deno.readTextFile(new URL(folder + name, import.meta.url)))) {
        importers.push(name);
      }
    }
  };
  await walk("../../src/");
  await walk("../../adapters/");
  assertEquals(importers, ["context.ts"]);
});
