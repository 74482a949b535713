/**
 * What the tests of the PlanetScale front share: each opens a front with the table `t` and the real driver, and is skipped
 * where there is no MariaDB.
 *
 * @module
 */
import { Client, DatabaseError } from "@planetscale/database";
import { assertRejects } from "@std/assert";
import { mariadbMissing, startMariadb } from "./mariadb.ts";
import { type PlanetScaleOptions, startFront } from "./planetscale.ts";

const missing = mariadbMissing();
if (missing === null) await startMariadb(); // Shared by what runs after, and so no leak of the first test.

export function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${missing ?? ""}`, ignore: missing !== null, fn });
}

export async function open(options: PlanetScaleOptions = {}) {
  const front = await startFront(options);
  await front.run("CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, v varchar(100) UNIQUE)");
  const client = new Client({ url: front.url });
  return { front, client, [Symbol.asyncDispose]: () => front.stop() };
}

/** The error of a call that must fail. */
export async function failure(call: Promise<unknown>): Promise<DatabaseError> {
  return await assertRejects(() => call, DatabaseError) as DatabaseError;
}
