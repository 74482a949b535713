/** What a session leaves behind: nothing that only a collection of the whole heap would find. */
import { assert } from "@std/assert";

Deno.test("a session that has ended is collected with what is young, and so is the request that it was for", async () => {
  // The young space holds all of it, so that what is left is left by what keeps it.
  const flags = "--expose-gc,--min-semi-space-size=64,--max-semi-space-size=64";
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `--v8-flags=${flags}`, new URL("garbage_program.ts", import.meta.url).href],
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert(text.startsWith("{"), new TextDecoder().decode(stderr));
  for (const [work, bytes] of Object.entries<number>(JSON.parse(text))) {
    assert(bytes < 2000, `${work} leaves ${bytes} bytes a session`);
  }
});
