/**
 * What the tests of the D1 adapter share: one server a file, a binding that answers as told.
 *
 * @module
 */
import { d1, type D1Binding, type D1Database } from "../../adapters/d1.ts";
import { type D1Server, startD1 } from "../servers/d1.ts";
import { stmt } from "./kit.ts";

export { rejection, stmt } from "./kit.ts";

/** A binding that answers everything with these results, or this error. */
export function answering(answer: unknown): D1Binding {
  const reply = () => answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as never);
  const statement = { bind: () => statement, raw: reply };
  return { prepare: () => statement, batch: reply };
}

/** What a test is given. */
export interface Place {
  readonly db: D1Database;
  readonly server: D1Server;
}

/** Registers tests on one D1, which is started before the first and empty of tables before each. */
export function onD1(): (name: string, body: (place: Place) => Promise<void>) => void {
  let server: D1Server;
  Deno.test.beforeAll(async () => {
    server = await startD1();
  });
  Deno.test.afterAll(async () => await server[Symbol.asyncDispose]());
  return (name, body) =>
    Deno.test(name, async () => {
      await using db = d1(server.binding);
      const { rows } = await db.execute(
        stmt(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf_*' AND name NOT GLOB 'sqlite_*'",
        ),
      );
      await server.run("PRAGMA defer_foreign_keys = ON", ...rows.map(([name]) => `DROP TABLE "${name}"`));
      server.reset();
      await body({ db, server });
    });
}
