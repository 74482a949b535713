/**
 * One libSQL database for each transport, fresh and empty, for tests that hold on all of them.
 *
 * @module
 */
import { libsql, type LibsqlDatabase } from "../../adapters/libsql_local.ts";
import { type HranaServer, startHrana } from "../servers/hrana.ts";

export { rejection, stmt } from "./kit.ts";

/** A database and, behind HTTP and WebSocket, its server. */
export interface Place {
  readonly db: LibsqlDatabase;
  readonly server: HranaServer | undefined;
}

export const transports = ["memory", "file", "http", "ws"] as const;
export type Transport = typeof transports[number];

/** Runs `body` with a fresh database on this transport and leaves nothing behind. */
export async function on(transport: Transport, body: (place: Place) => Promise<void>): Promise<void> {
  if (transport === "memory") {
    await using db = libsql({ url: ":memory:" });
    return await body({ db, server: undefined });
  }
  if (transport === "file") {
    const folder = await Deno.makeTempDir();
    try {
      await using db = libsql({ url: `file:${folder}/test.db` });
      await body({ db, server: undefined });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    return;
  }
  await using server = await startHrana({ busyTimeout: 0 });
  await using db = libsql({ url: transport === "http" ? server.url : server.wsUrl });
  await body({ db, server });
}

/** A test on every transport. */
export function testEverywhere(
  name: string,
  body: (place: Place, transport: Transport) => Promise<void>,
  where: readonly Transport[] = transports,
): void {
  for (const transport of where) Deno.test(`${name}, ${transport}`, () => on(transport, (p) => body(p, transport)));
}
