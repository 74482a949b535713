/**
 * The session of the async context, in whatever way a runtime has one: `@ledge/session/context`, or a storage handed to
 * `createSessionManager()`.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { InvalidStateError, sessionFactory, type SessionManagement } from "../../mod.ts";
import { Tag } from "../conformance/models.ts";
import { refused, type Target, test } from "../conformance/setup.ts";

/** Registers the tests of a manager. */
export function contextSuite(target: Target, { sessionManager, currentSession }: SessionManagement): void {
  test(target, "currentSession() follows the async context, however the awaits of two interleave", async (place) => {
    const using = sessionFactory({ bind: place.db });
    const seen = await Promise.all(
      ["one", "two", "three"].map((name, i) =>
        sessionManager({ using, autoCommit: true }, async (mine) => {
          for (let turn = 0; turn < 5 + i; turn++) {
            await new Promise((resolve) => setTimeout(resolve, (turn * 7 + i * 3) % 5));
            assertStrictEquals(currentSession(), mine);
            await currentSession().scalar("SELECT 1");
            assertStrictEquals(currentSession(), mine);
          }
          currentSession().add(new Tag({ name }));
          return mine;
        })
      ),
    );
    assertEquals(new Set(seen).size, 3);
    assertEquals(seen.map(({ state }) => state), ["closed", "closed", "closed"]);
    assertEquals(await place.column("tags", "name"), ["one", "three", "two"]);
  });

  test(target, "sessionManager() inside another finds its session, and commits nothing of a failure", async (place) => {
    const using = sessionFactory({ bind: place.db });
    await refused(
      () =>
        sessionManager({ using, autoCommit: true }, async (outer) => {
          await sessionManager({}, (inner) => {
            assert(inner === outer);
            inner.add(new Tag({ name: "never" }));
          });
          throw new Error("Stop here");
        }),
      Error,
      "has failed",
    );
    assertEquals(await place.rows("tags"), 0);
    await refused(() => currentSession(), InvalidStateError, "no current session");
  });
}
