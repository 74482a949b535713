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
}

/** One minified ES module with everything that the source imports; relative imports are from this folder. */
export async function bundle(source: string, { external = [], define = {} }: BundleOptions = {}): Promise<string> {
  try {
    const { outputFiles } = await build({
      stdin: { contents: source, resolveDir: import.meta.dirname!, loader: "ts" },
      bundle: true,
      write: false,
      minify: true,
      format: "esm",
      platform: "neutral",
      target: "es2022",
      mainFields: ["module", "main"],
      conditions: ["workerd", "worker", "browser"],
      external: ["node:*", ...external],
      define: { ...define },
      logLevel: "silent", // A failed build throws what there is to say.
    });
    return outputFiles[0]!.text;
  } finally {
    await stop();
  }
}
