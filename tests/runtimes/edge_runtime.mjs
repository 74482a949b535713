// Serves a bundle in Vercel's edge-runtime, in a process of Node, and prints its URL.
//
//   node edge_runtime.mjs SCRIPT
//
// AsyncLocalStorage is a global at Vercel, and in this package only what its user makes one.

import { AsyncLocalStorage } from "node:async_hooks";
import { readFile } from "node:fs/promises";
import { EdgeRuntime, runServer } from "edge-runtime";

const runtime = new EdgeRuntime({
  initialCode: await readFile(process.argv[2], "utf8"),
  extend: (context) => Object.assign(context, { AsyncLocalStorage }),
});
const { url } = await runServer({ runtime, host: "127.0.0.1", port: 0 });
console.log(url);
