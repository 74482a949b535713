/**
 * Lets the tests find the machine's own programs: a task puts node_modules/.bin before them on the PATH, where a `node` of
 * npm's lies that only some of the tests are for.
 *
 * @module
 */

/** Takes the packages' programs off the PATH, for this process and those that it starts. */
export function useMachinePrograms(): void {
  const path = (Deno.env.get("PATH") ?? "").split(":");
  Deno.env.set("PATH", path.filter((folder) => folder !== `${Deno.cwd()}/node_modules/.bin`).join(":"));
}
