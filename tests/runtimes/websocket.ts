/**
 * Neon's conversations where the WebSocket is npm's `ws`, which is handed in: the way out of Node 20, which has none.
 *
 * @module
 */
import { neonConfig } from "@neondatabase/serverless";
import { assertEquals } from "@std/assert";
import { WebSocket as Constructor } from "ws";
import { neon } from "../../adapters/neon.ts";
import { ConnectionError, Session } from "../../mod.ts";
import { Tag } from "../conformance/models.ts";
import type { Server } from "../conformance/server.ts";
import { refused, type Target, test } from "../conformance/setup.ts";

/** Registers the tests; they make databases of their own at the target's server. */
export function webSocketSuite(target: Target, find: () => Promise<Server>): void {
  test(target, "neon() opens its WebSockets with the constructor that it is given", async (place) => {
    const { url } = await find();
    await using db = neon({ connectionString: url, webSocket: { webSocketConstructor: Constructor } });
    await using session = new Session({ bind: db });
    session.add(new Tag({ name: "flushed" }));
    await session.flush();
    assertEquals(await place.rows("tags"), 0);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["flushed"]);
  });

  test(target, "neon() without a WebSocket commits over HTTP, and a conversation says what to set", async (place) => {
    const { url } = await find();
    const before = neonConfig.webSocketConstructor;
    const { WebSocket } = globalThis;
    neonConfig.webSocketConstructor = undefined;
    Reflect.deleteProperty(globalThis, "WebSocket");
    try {
      await using db = neon(url);
      await using session = new Session({ bind: db });
      session.add(new Tag({ name: "committed" }));
      await session.commit();
      session.add(new Tag({ name: "never" }));
      await refused(() => session.flush(), ConnectionError, "websocketconstructor");
      assertEquals(session.state, "open"); // Nothing was sent.
    } finally {
      neonConfig.webSocketConstructor = before;
      if (WebSocket !== undefined) Object.assign(globalThis, { WebSocket });
    }
    assertEquals(await place.column("tags", "name"), ["committed"]);
  });
}
