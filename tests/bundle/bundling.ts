/**
 * Bundles programs that import Ledge as an application's build would, with esbuild, and tells what is in the bundle. Drivers,
 * frameworks and `node:` modules are left out: what is measured is Ledge. esbuild is a process of its own; it is stopped
 * after each use.
 *
 * @module
 */
import { build, type BuildOptions, type Metafile, stop } from "esbuild";

const ROOT = new URL("../../", import.meta.url).pathname;

const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  write: false,
  minify: true,
  metafile: true,
  format: "esm",
  platform: "neutral",
  target: "es2022",
  external: ["node:*", "@libsql/*", "@neondatabase/*", "@planetscale/*", "hono", "hono/*"],
  logLevel: "silent", // A failed build throws what there is to say.
} as const satisfies BuildOptions;

/** One bundled program. */
export interface Bundle {
  readonly text: string;
  /** Minified, in bytes. */
  readonly size: number;
  /** Minified and sent with gzip, in bytes. */
  readonly compressed: number;
  /** The files of this repository that something is left of. */
  readonly files: readonly string[];
}

/** What a program imports: names of a file, which is named from the repository's root. */
export type Import = readonly [file: string, ...names: string[]];

/** The text of a program that keeps all it imports. */
export function programOf(imports: readonly Import[]): string {
  return imports.map(([file, ...names]) => `export { ${names.join(", ")} } from "./${file}";`).join("\n");
}

/** Bundles a program, of which relative imports are from the repository's root. */
export async function bundle(contents: string): Promise<Bundle> {
  try {
    const stdin = { contents, resolveDir: ROOT, loader: "ts" } as const;
    const { outputFiles, metafile } = await build({ ...OPTIONS, stdin });
    const { text } = outputFiles[0]!;
    return { text, size: text.length, compressed: await gzipSize(text), files: filesOf(metafile) };
  } finally {
    await stop();
  }
}

/** What is left of each module when it is imported for nothing, those left out of which nothing is but imports. */
export async function leftovers(modules: readonly string[]): Promise<readonly string[]> {
  const importers = modules.map((module) => ({ in: `for-nothing:${module}`, out: module.replaceAll("/", "-") }));
  try {
    const { outputFiles } = await build({
      ...OPTIONS,
      outdir: "nowhere",
      entryPoints: importers,
      plugins: [{
        name: "for-nothing",
        setup(build) {
          build.onResolve({ filter: /^for-nothing:/ }, ({ path }) => ({ path, namespace: "for-nothing" }));
          build.onLoad({ filter: /./, namespace: "for-nothing" }, ({ path }) => ({
            contents: `import "./${path.slice("for-nothing:".length)}";`,
            resolveDir: ROOT,
          }));
        },
      }],
    });
    return outputFiles.map(({ text }, i) =>
      `${modules[i]}: ${text.replaceAll(/import\s*(?:\{[^}]*\}\s*from\s*)?"[^"]*";?/g, "").trim()}`
    )
      .filter((left) => !left.endsWith(": "));
  } finally {
    await stop();
  }
}

function filesOf(metafile: Metafile): string[] {
  const inputs = Object.values(metafile.outputs)[0]!.inputs;
  return Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path)
    .filter((path) => path !== "<stdin>").sort();
}

async function gzipSize(text: string): Promise<number> {
  const compressed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(compressed).arrayBuffer()).byteLength;
}
