/**
 * One PlanetScale database for each way to set one up, fresh and empty, for tests that hold on all of them.
 *
 * @module
 */
import { Client } from "@planetscale/database";
import { planetscale, type PlanetScaleDatabase } from "../../adapters/planetscale.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import { type PlanetScaleFront, type PlanetScaleOptions, startFront } from "../servers/planetscale.ts";

export { rejection, stmt } from "./kit.ts";

/** A database and its server. */
export interface Place {
  readonly db: PlanetScaleDatabase;
  readonly server: PlanetScaleFront;
}

export const setups = ["url", "client"] as const;
export type Setup = typeof setups[number];

const missing = mariadbMissing();

/** A test that needs MariaDB; without one it is skipped, and its name says why. */
export function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${missing ?? ""}`, ignore: missing !== null, fn });
}

/** A database over a server, set up so. */
export function over(setup: Setup, server: PlanetScaleFront): PlanetScaleDatabase {
  return planetscale(setup === "url" ? { url: server.url } : new Client({ url: server.url }));
}

/** Runs `body` with a fresh database, set up so. */
export async function on(
  setup: Setup,
  body: (place: Place) => Promise<void>,
  options: PlanetScaleOptions = {},
): Promise<void> {
  await using server = await startFront(options);
  await using db = over(setup, server);
  await body({ db, server });
}

/** A test for every set-up. */
export function testEverywhere(
  name: string,
  body: (place: Place, setup: Setup) => Promise<void>,
  options: PlanetScaleOptions = {},
): void {
  for (const setup of setups) test(`${name}, ${setup}`, () => on(setup, (place) => body(place, setup), options));
}

/** The first words of what was sent, for what steers transactions. */
export function sent(server: PlanetScaleFront): string[] {
  return server.sql.map((text) => text.split(" ")[0]!);
}
