/**
 * What an application's bundle holds of Ledge, and how large it is.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { bundle, leftovers, programOf } from "./bundling.ts";
import { ADDED, CORE, kibibytes, readmeTable, sizeTable, WHOLE } from "./table.ts";

/** What the core with an adapter has to stay below, in KiB with gzip: little more than the largest has. */
const CEILING = 78;

/** What it was meant to have, printed beside what it has. */
const GOAL = 20;

/** By how much a number in the README may differ, in KiB: a change of a few lines need not write it anew. */
const TOLERANCE = 1.5;

// esbuild is a process of its own, and the sanitizers see its pipes even after it was stopped.
const withEsbuild = { sanitizeOps: false, sanitizeResources: false };

const ADAPTERS = ["libsql", "d1", "neon", "planetscale"];

/** The modules that are shipped, but for those that need a native addon or `node:async_hooks`. */
async function modules(...folders: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    for await (const { name, isDirectory } of Deno.readDir(new URL(`../../${folder}`, import.meta.url))) {
      const path = `${folder}/${name}`;
      if (isDirectory) found.push(...await modules(path));
      else if (name.endsWith(".ts") && !/_local\.ts$|^context\.ts$/.test(name)) found.push(path);
    }
  }
  return found.sort();
}

Deno.test("a module that is imported for nothing leaves nothing in a bundle", withEsbuild, async () => {
  assertEquals(await leftovers(["mod.ts", ...await modules("adapters", "src")]), []);
});

Deno.test("the sizes are those of the README (else: deno run -A tests/bundle/table.ts)", withEsbuild, async () => {
  const table = await sizeTable();
  console.log(`${table}\nThe goal for the core with an adapter: ${GOAL} KiB with gzip`);
  const [now, then] = [table, await readmeTable()].map((text) => text.split("\n").map((line) => line.split("|")));
  assertEquals(now!.map(([, heading]) => heading!.trim()), then!.map(([, heading]) => heading!.trim()));
  for (const [i, [, heading, ...cells]] of now!.entries()) {
    // The last cell is what stands behind the last bar.
    const differ = cells.map((cell, j) => Math.abs(parseFloat(cell) - parseFloat(then![i]![j + 2]!)));
    assert(!(differ[1]! > TOLERANCE), `${heading!.trim()} has ${cells[1]!.trim()}; the README says otherwise`);
  }
});

for (const [heading, imports] of WHOLE) {
  Deno.test(`a bundle is small and holds no more than it needs: ${heading}`, withEsbuild, async () => {
    const { compressed, files } = await bundle(programOf(imports));
    assert(compressed < CEILING * 1024, `The bundle has ${kibibytes(compressed)}`);
    // Of the adapters the one that was imported, and of the dialects its own.
    const adapter = ADAPTERS.find((name) => imports.some(([file]) => file === `adapters/${name}.ts`));
    const dialect = { libsql: "sqlite", d1: "sqlite", neon: "postgres", planetscale: "mysql" }[adapter ?? ""];
    const absent = [
      ...ADAPTERS.filter((name) => name !== adapter).flatMap((name) => [`adapters/${name}.`, `adapters/${name}/`]),
      ...["sqlite", "postgres", "mysql"].filter((name) => name !== dialect).map((name) => `src/sql/${name}`),
      ...ADDED.flatMap(([, , without]) => without),
    ];
    assertEquals(files.filter((file) => absent.some((start) => file.startsWith(start))), []);
  });
}

Deno.test("models alone bring nothing of the session", withEsbuild, async () => {
  const { files } = await bundle(programOf([["mod.ts", "model", "t"]]));
  assertEquals(
    files.filter((file) => !/^src\/(?:model\/|sql\/(?:identifier|object|tag)\.ts|errors\.ts)/.test(file)),
    [],
  );
});

Deno.test("nothing is reached but the web's globals and the drivers", withEsbuild, async () => {
  const entries = [
    "mod.ts",
    ...ADAPTERS.map((name) => `adapters/${name}.ts`),
    "src/bulk/mod.ts",
    "src/two_phase/mod.ts",
    "src/web/hono.ts",
  ];
  for (const entry of entries) {
    const { text } = await bundle(`export * from "./${entry}"; export { Session } from "./${CORE[0]}";`);
    const forbidden = /\beval\s*\(|\bnew Function\b|\bFunction\s*\(|\bBuffer\b|\bprocess\.|["'`]node:|\bDeno\b/;
    assertEquals([entry, forbidden.exec(text)?.[0]], [entry, undefined]);
    const drivers = [...text.matchAll(/\bfrom\s*"([^"]*)"|\bimport\s*(?:\(\s*)?"([^"]*)"/g)].map(([, from, bare]) =>
      from ?? bare
    );
    assertEquals([entry, drivers], [entry, DRIVERS[entry] ?? []]);
  }
});

const DRIVERS: Readonly<Record<string, readonly string[]>> = {
  "adapters/libsql.ts": ["@libsql/client/web"],
  "adapters/neon.ts": ["@neondatabase/serverless"],
  "adapters/planetscale.ts": ["@planetscale/database", "@planetscale/database"],
};
