/**
 * withSession() and the Hono middleware under a real Deno.serve, with clients that go away. In a process of its own for each
 * way that Deno has to say so: as it is, and as it will be (`--unstable-no-legacy-abort`).
 */
import { assertEquals } from "@std/assert";

/** What the program says was saved of each request, and what Deno says on the console. */
async function serve(flags: string[], ...args: string[]): Promise<{ saved: unknown; warnings: string }> {
  const program = new URL("serve_program.ts", import.meta.url).pathname;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", ...flags, program, ...args],
  }).output();
  const [said, warnings] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(success, true, warnings);
  return { saved: JSON.parse(said!), warnings: warnings! };
}

const quiet = {
  "left, with commitAborted": ["aborted"],
  "left, of a read-only session": [],
  "answered, with commitAborted": [201, ["stays"]],
};
const saved = {
  ...quiet,
  "answered": [201, ["stays"]],
  "left before the commit": [],
  "left before the session was touched": [],
  "left after the first byte": ["streamed"],
};

for (const flags of [[], ["--unstable-no-legacy-abort"]]) {
  Deno.test(`a client that goes away from ${["Deno.serve", ...flags].join(" ")} rolls back until the commit`, async () => {
    assertEquals((await serve(flags)).saved, { handler: saved, hono: saved });
  });
}

Deno.test("Deno.serve has nothing to warn of where the signal is not looked at", async () => {
  assertEquals(await serve([], "quiet"), { saved: { handler: quiet, hono: quiet }, warnings: "" });
});
