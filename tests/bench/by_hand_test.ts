/** The program that does one workload by hand, which docs/benchmark.md quotes: it runs, and does the work. */
import { assertEquals } from "@std/assert";

Deno.test("bench/by_hand.ts does the work as the driver and as Ledge do", async () => {
  const program = new URL("../../bench/by_hand.ts", import.meta.url).href;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, "--runs", "2"],
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assertEquals([success, lines.length], [true, 6], new TextDecoder().decode(stderr));
});
