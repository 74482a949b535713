/**
 * Bundles an example for a runtime, as its deployment would: `@ledge/session` is this repository, all else comes from
 * node_modules in the form that the runtime takes.
 *
 * @module
 */
import { build as esbuild, stop } from "esbuild";
import config from "../../deno.json" with { type: "json" };

const root = new URL("../../", import.meta.url).pathname;

/** How a runtime wants its bundle. */
const forms = {
  /** As wrangler bundles. */
  cloudflare: { format: "esm", platform: "neutral", conditions: ["workerd", "worker", "browser"] },
  vercel: { format: "iife", platform: "neutral", conditions: ["edge-light", "worker", "browser"] },
  /** As the command in the example does. */
  node: { format: "esm", platform: "node", conditions: ["node", "import"], packages: "external" },
} as const;

/** `@ledge/session` and what is below it, as the package exports them. */
export const aliases: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(config.exports).map(([name, path]) => [config.name + name.slice(1), root + path.slice(2)]),
);

const built = new Map<string, Promise<string>>();

/** The text of a bundle of this module, whose relative imports are from this folder. Bundled once. */
export function build(runtime: keyof typeof forms, source: string, alias = aliases): Promise<string> {
  const key = JSON.stringify([runtime, source, alias]);
  if (!built.has(key)) built.set(key, bundle(runtime, source, alias));
  return built.get(key)!;
}

async function bundle(runtime: keyof typeof forms, source: string, alias: typeof aliases): Promise<string> {
  try {
    const { outputFiles } = await esbuild({
      ...forms[runtime],
      conditions: [...forms[runtime].conditions],
      stdin: { contents: source, resolveDir: import.meta.dirname!, loader: "ts" },
      bundle: true,
      write: false,
      target: "es2022",
      mainFields: ["module", "main"],
      external: ["node:*"],
      alias: { ...alias },
      logLevel: "silent", // A failed build throws what there is to say.
    });
    return outputFiles[0]!.text;
  } finally {
    await stop();
  }
}
