/**
 * What the tests of sessions on PlanetScale share: each has a fresh database on a real MariaDB behind a front of PlanetScale's
 * HTTP API, must leave no transaction open there, and is skipped, with the reason in its name, where there is no MariaDB.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { planetscale, type PlanetScaleDatabase, type ServerOptions } from "../../adapters/planetscale.ts";
import { createAll, Session } from "../../mod.ts";
import { mariadbMissing, startMariadb } from "../servers/mariadb.ts";
import { type PlanetScaleFront, type PlanetScaleOptions, startFront } from "../servers/planetscale.ts";

const missing = mariadbMissing();
if (missing === null) await startMariadb(); // Shared by what runs after, and so no leak of the first test.

/** What a test is given. */
export interface Place {
  readonly db: PlanetScaleDatabase;
  readonly front: PlanetScaleFront;
}

/** How a test is set up. */
export interface Setup {
  readonly front?: PlanetScaleOptions;
  readonly db?: ServerOptions;
}

type Models = Parameters<typeof createAll>[1];

/** A test, with the tables of these models, empty; the counters start at zero. */
export function test(name: string, models: Models, body: (place: Place) => Promise<void>, setup: Setup = {}): void {
  Deno.test({
    name: `${name}${missing ?? ""}`,
    ignore: missing !== null,
    async fn() {
      await using front = await startFront(setup.front);
      await using db = planetscale({ ...setup.db, url: front.url });
      await createAll(db, models);
      front.reset();
      await body({ db, front });
      await closed(front);
    },
  });
}

/** Waits until so many transactions are open, at the front and behind it: none, unless told. */
export async function closed(front: PlanetScaleFront, transactions = 0): Promise<void> {
  await front.settled();
  assertEquals(front.transactions, transactions);
  await listed(front, transactions);
}

/** Runs this many at once. */
export function atOnce<T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => work(i)));
}

/** Resolves, for all who call it, once so many have. */
export function meeting(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  return () => {
    if (--count === 0) resolve();
    return promise;
  };
}

/** Waits until something holds; fails when it does not within five seconds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  pause = 5,
): Promise<void> {
  for (const end = Date.now() + 5000; !await holds(); await new Promise((resolve) => setTimeout(resolve, pause))) {
    assert(Date.now() < end, `Waited in vain until ${what}`);
  }
}

/** How long InnoDB shows the same list of transactions, in milliseconds; asked more often, it never makes another. */
const LIST_AGE = 110;

/** Waits until so many transactions of this database are in InnoDB's list: in a state ("LOCK WAIT"), or at all. */
export async function listed({ db }: PlanetScaleFront, count: number, state?: string): Promise<unknown[]> {
  const sql = `SELECT p.id FROM information_schema.innodb_trx t JOIN information_schema.processlist p
    ON p.id = t.trx_mysql_thread_id WHERE p.db = database() AND p.id <> connection_id() AND trx_state = COALESCE(?, trx_state)`;
  let ids: unknown[] = [];
  await until(`${count} transactions are ${state ?? "open"}`, async () => {
    ids = (await db.query(sql, [state ?? null])).map(({ id }) => id);
    return ids.length === count;
  }, LIST_AGE);
  return ids;
}

/** Saves instances with a session of their own, which lets go of them. */
export async function add({ db }: Pick<Place, "db">, ...instances: object[]): Promise<void> {
  await using session = new Session({ bind: db });
  session.addAll(instances);
  await session.commit();
  session.expungeAll();
}

/** What instances hold. */
export function copies(instances: readonly object[]): object[] {
  return instances.map((one) => ({ ...one }));
}

/** The first words of the texts that came, in order. */
export function words(front: PlanetScaleFront): string {
  return front.sql.map((text) => /^\w+/.exec(text)![0]).join(" ");
}

/** Asserts that a secret is not in something, however it is shown, nor in what caused it. */
export function showsNo(secret: string, shown: unknown): void {
  const forms = [secret, encodeURIComponent(secret), btoa(secret)];
  for (const text of [Deno.inspect(shown, { depth: 12, showHidden: true }), String(shown), JSON.stringify(shown)]) {
    assert(!forms.some((form) => text.includes(form)), "A secret is shown");
  }
}
