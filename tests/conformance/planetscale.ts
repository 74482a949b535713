/**
 * The target of PlanetScale in Deno.
 *
 * @module
 */
import { mariadbMissing } from "../servers/mariadb.ts";
import { startServer } from "./front.ts";
import { planetscaleTarget } from "./planetscale_target.ts";
import type { Target } from "./setup.ts";

export const planetscale: Target = {
  ...planetscaleTarget(() => startServer("planetscale"), (server) => server.stop()),
  missing: mariadbMissing(),
};
