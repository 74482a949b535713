/**
 * Runs the conformance suite in Deno's test runner.
 *
 * @module
 */
import type { Running, Target } from "./setup.ts";
import { suite } from "./suite.ts";

/** Registers every test for a target, which is started before the first of them and stopped after the last. */
export function conformance(target: Target): void {
  let running: Running | undefined;
  if (typeof target.missing !== "string") {
    Deno.test.beforeAll(async () => {
      running = await target.start();
    });
    Deno.test.afterAll(async () => {
      await running?.[Symbol.asyncDispose]();
      running = undefined;
    });
  }
  for (const { name, ignore, run } of suite(target)) Deno.test({ name, ignore, fn: () => run(running!) });
}
