/**
 * The README's table of capabilities is the one that the suite's own numbers give.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { withTable } from "./table.ts";

Deno.test("the README tells what each adapter can do and costs (else: deno run -A tests/conformance/table.ts)", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  assertEquals(readme, await withTable(readme));
});
