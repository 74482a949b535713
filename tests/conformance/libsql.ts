/**
 * The targets of libSQL in Deno.
 *
 * @module
 */
import { libsql } from "../../adapters/libsql_local.ts";
import { startServer } from "./front.ts";
import { fileTarget, type Folder, memoryTarget, wireTarget } from "./libsql_targets.ts";
import type { Target } from "./setup.ts";

async function makeFolder(): Promise<Folder> {
  const path = await Deno.makeTempDir({ prefix: "conformance-" });
  return { path, remove: () => Deno.remove(path, { recursive: true }) };
}

const remote = (transport: "http" | "ws") =>
  wireTarget(transport, libsql, () => startServer("libsql"), (server) => server.stop());

export const memory: Target = memoryTarget(libsql);
export const file: Target = fileTarget(libsql, makeFolder);
export const http: Target = remote("http");
export const ws: Target = remote("ws");
