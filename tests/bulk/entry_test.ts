/** What the core is made of: bulk and the async context are entry points of their own. */
import { assertEquals } from "@std/assert";

/** The modules that a module imports or exports from, as far as they are this package's, itself included. */
async function reached(from: URL): Promise<string[]> {
  const all = new Set([from.href]);
  for (const href of all) { // grows while it is walked
    const text = (await Deno.readTextFile(new URL(href))).replaceAll(/^import type .*$/gm, "");
    for (const [, path] of text.matchAll(/^(?:import|export|\}) .*?from "(\.[^"]+)";$/gm)) {
      all.add(new URL(path!, href).href);
    }
  }
  return [...all].map((href) => href.slice(new URL("../../", import.meta.url).href.length)).sort();
}

Deno.test("the core reaches neither bulk nor the async context", async () => {
  const core = await reached(new URL("../../mod.ts", import.meta.url));
  assertEquals(core.filter((path) => path.startsWith("src/bulk/") || path === "src/web/context.ts"), []);
  assertEquals(core.includes("src/web/manager.ts") && core.includes("src/session/flushing.ts"), true);
});

Deno.test("the walk over imports finds what an entry point reaches", async () => {
  const bulk = await reached(new URL("../../src/bulk/mod.ts", import.meta.url));
  assertEquals(bulk.includes("src/bulk/finding.ts") && bulk.includes("src/unit_of_work/order.ts"), true);
});
