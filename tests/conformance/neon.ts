/**
 * The targets of Neon in Deno.
 *
 * @module
 */
import { startServer } from "./front.ts";
import { neonTarget } from "./neon_targets.ts";
import type { Target } from "./setup.ts";

const target = (name: Parameters<typeof neonTarget>[0]) =>
  neonTarget(name, () => startServer("neon"), (server) => server.stop());

export const http: Target = target("neon http");
export const httpOnly: Target = target("neon http only");
export const pool: Target = target("neon pool");
export const client: Target = target("neon client");
