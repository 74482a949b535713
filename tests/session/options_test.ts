import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { type Capabilities, type Database, LedgeError, Session, UnsupportedError, ValidationError } from "../../mod.ts";

const db = libsql({ url: ":memory:" });

/** A database that can do less. */
function lesser(capabilities: Partial<Capabilities>): Database {
  return {
    dialect: db.dialect,
    description: "a lesser database",
    capabilities: { ...db.capabilities, ...capabilities },
    execute: () => Promise.reject(new Error("unexpected execute")),
    connect: () => Promise.reject(new Error("unexpected connect")),
    close: () => Promise.resolve(),
  };
}

Deno.test("new Session() refuses options that are not there or cannot be", () => {
  const wrong: [unknown, string][] = [
    [undefined, "bind"],
    [null, "bind"],
    [{}, "bind"],
    [{ bind: "libsql://x" }, "bind"],
    [{ bind: {} }, "bind"],
    [{ bind: db, flush: true }, '"flush"'],
    [{ bind: db, mode: "manual" }, "mode"],
    [{ bind: db, optimistic: true }, "optimistic"],
  ];
  for (const [options, word] of wrong) {
    const error = assertThrows(() => new Session(options as never), ValidationError);
    assertStringIncludes(error.message, word);
  }
});

for (const option of ["readOnly", "autoflush", "expireOnCommit", "verifyReads"]) {
  Deno.test(`new Session() refuses ${option} that is no boolean`, () => {
    const error = assertThrows(() => new Session({ bind: db, [option]: "no" } as never), ValidationError);
    assertStringIncludes(error.message, option);
  });
}

Deno.test("new Session() does no work and takes undefined for an option that is not given", () => {
  const session = new Session({ bind: lesser({}), mode: undefined, autoflush: undefined });
  assertEquals([session.state, session.autoflush, session.isActive, session.inTransaction()], [
    "open",
    true,
    true,
    false,
  ]);
});

Deno.test("session.info is the caller's, and an object of its own otherwise", () => {
  const info = { user: 1 };
  assertStrictEquals(new Session({ bind: db, info }).info, info);
  const [one, two] = [new Session({ bind: db }), new Session({ bind: db })];
  one.info.x = 1;
  assertEquals([two.info, one.bind], [{}, db]);
});

Deno.test("session.begin() refuses what the database has not", async () => {
  const bind = lesser({ readOnly: false, deferrable: false, isolation: ["read committed"] });
  const session = new Session({ bind });
  for (
    const [options, word] of [
      [{ readOnly: true }, "read-only"],
      [{ deferrable: true }, "deferrable"],
      [{ isolation: "serializable" }, "serializable"],
    ] as const
  ) {
    const error = await assertRejects(() => session.begin(options), UnsupportedError);
    assertStringIncludes(error.message, word);
    assertStringIncludes(error.message, "a lesser database");
  }
  await assertRejects(() => session.begin({ mode: "manual" } as never), ValidationError, "mode");
  assertEquals(session.inTransaction(), false);
  await session.begin({ isolation: "read uncommitted" }); // a stronger level satisfies it
  await session.rollback();
});

Deno.test("new Session() refuses to be read-only where there are no such transactions", async () => {
  const error = assertThrows(
    () => new Session({ bind: lesser({ readOnly: false }), readOnly: true }),
    UnsupportedError,
  );
  assertStringIncludes(error.message, "a lesser database has no read-only transactions");
  const connection = await db.connect();
  assertThrows(() => new Session({ bind: connection, readOnly: true }), UnsupportedError, "open connection");
  await connection.rollback();
});

Deno.test("a session without interactive transactions says what to do instead", async () => {
  const session = new Session({ bind: lesser({ interactive: false }) });
  for (
    const [call, word] of [
      [() => session.start(), "start()"],
      [() => session.execute("DELETE FROM x"), "execute()"],
    ] as const
  ) {
    const error = await assertRejects(call, UnsupportedError);
    for (const part of [word, "a lesser database", "stage()"]) assertStringIncludes(error.message, part);
  }
  assertEquals(session.state, "open");
});

Deno.test("every error has a stable code and its class's name", () => {
  const error = new ValidationError("No");
  assert(error instanceof LedgeError);
  assertEquals([error.name, error.code, error.message], ["ValidationError", "LEDGE_VALIDATION", "No"]);
});
