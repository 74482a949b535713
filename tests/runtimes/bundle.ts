/**
 * Bundles modules for the edge with esbuild, as an application's build would. esbuild is a process of its own; it is stopped
 * after each bundle.
 *
 * @module
 */
import { build, stop } from "esbuild";

/** What differs between two bundles. */
export interface BundleOptions {
  /** Packages left out. */
  readonly external?: readonly string[];
  /** Expressions put in for names. */
  readonly define?: Readonly<Record<string, string>>;
  /** Which of a package's forms to take: those for workerd unless given. */
  readonly conditions?: readonly string[];
  /** An ES module unless given. */
  readonly format?: "esm" | "iife";
  /** Whether names and spaces are kept short; true unless given. */
  readonly minify?: boolean;
}

/** Which forms of a package each kind of runtime takes. */
export const CONDITIONS = {
  workerd: ["workerd", "worker", "browser"],
  edge: ["edge-light", "worker", "browser"],
  node: ["node", "import"],
} as const;

/** One minified ES module with everything that the source imports; relative imports are from this folder. */
export async function bundle(
  source: string,
  { external = [], define = {}, conditions = CONDITIONS.workerd, format = "esm", minify = true }: BundleOptions = {},
): Promise<string> {
  try {
    const { outputFiles } = await build({
      stdin: { contents: source, resolveDir: import.meta.dirname!, loader: "ts" },
      bundle: true,
      write: false,
      minify,
      format,
      platform: "neutral",
      target: "es2022",
      mainFields: ["module", "main"],
      conditions: [...conditions],
      external: ["node:*", ...external],
      define: { ...define },
      alias: { "@std/assert": `${import.meta.dirname}/../std/assert/mod.ts` },
      logLevel: "silent", // A failed build throws what there is to say.
    });
    return outputFiles[0]!.text;
  } finally {
    await stop();
  }
}
