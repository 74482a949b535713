/**
 * The npm form of the package: what `deno pack` makes installs in a Node project and in a Bun project, has its types, and
 * runs the README's first example and the bookstore there.
 */
import { assert, assertEquals } from "@std/assert";
import { stop, transform } from "esbuild";
import config from "../../deno.json" with { type: "json" };
import { build } from "../examples/build.ts";
import { runDay } from "../examples/day.ts";
import { startProcess } from "../examples/start.ts";
import { stores } from "../examples/stores.ts";

// esbuild is a process of its own, whose pipes the sanitizers see.
const withEsbuild = { sanitizeOps: false, sanitizeResources: false };

const root = new URL("../../", import.meta.url).pathname;

/** Runs a program to its end; an error with what it said, if it failed. */
async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd,
    stdin: "null",
    env: { NO_COLOR: "1", npm_config_audit: "false", npm_config_fund: "false", npm_config_prefer_offline: "true" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) throw new Error(`${program} ${args.join(" ")} failed: ${err}${out}`);
  return out!;
}

/** The README's first example, and what it ended with as its output. */
async function quickStart(): Promise<string> {
  const readme = await Deno.readTextFile(`${root}README.md`);
  const code = /^```ts\n([\s\S]*?)^```$/m.exec(readme)![1]!;
  return `${code}\nconsole.log(JSON.stringify([ann.name, ann.version, ann.books!.map(({ id, title }) => [id, title])]));\n`;
}

const output = '["Ann Lee",2,[[1,"Edges"],[2,"More edges"]]]\n';

/** All files below a folder. */
function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    return isDirectory ? filesIn(`${folder}/${name}`) : [`${folder}/${name}`];
  });
}

Deno.test("the package that deno pack makes runs in Node and in Bun", withEsbuild, async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "package-" });
  const tarball = `${folder}/ledge.tgz`;
  const node = `${folder}/node`;
  const inPackage = `${node}/node_modules/${config.name}`;
  try {
    await t.step("deno pack makes it", async () => {
      await run(root, Deno.execPath(), "pack", "--allow-dirty", `--output=${tarball}`);
    });

    await t.step("it installs in a project made with npm init", async () => {
      await Deno.mkdir(node);
      await run(node, "npm", "init", "-y");
      await run(node, "npm", "install", tarball, "hono", "@hono/node-server");
      const { dependencies } = JSON.parse(await Deno.readTextFile(`${inPackage}/package.json`));
      // Drivers, and nothing that the tests alone need.
      assertEquals(Object.keys(dependencies), [
        "@libsql/client",
        "@neondatabase/serverless",
        "@planetscale/database",
      ]);
    });

    await t.step("it holds no tests, and types for whatever types name", () => {
      const files = filesIn(inPackage);
      assertEquals(files.filter((file) => /_test\.|\/tests\//.test(file)), []);
      const named = files.filter((file) => file.endsWith(".d.ts")).flatMap((file) => {
        const imports = Deno.readTextFileSync(file).matchAll(/^(?:\*\/ )?(?:im|ex)port\b[^;]*? from "(\.[^"]+)\.js"/gm);
        return [...imports].map(([, path]) => new URL(`${path}.d.ts`, `file://${file}`).pathname);
      });
      assert(named.length > 100, `only ${named.length} were found`);
      assertEquals(named.filter((path) => !files.includes(path)), []);
    });

    await t.step("Node can import each of its modules", async () => {
      const names = Object.keys(config.exports).map((name) => `${config.name}${name.slice(1)}`);
      const program = names.map((name) => `console.log(Object.keys(await import("${name}")).length > 0);`).join("\n");
      await Deno.writeTextFile(`${node}/modules.mjs`, program);
      assertEquals(await run(node, "node", "modules.mjs"), "true\n".repeat(names.length));
    });

    await t.step("the README's first example runs in Node, with its types", async () => {
      const code = await quickStart();
      await Deno.writeTextFile(`${node}/quickstart.ts`, code);
      await run(node, Deno.execPath(), "check", "--node-modules-dir=manual", "quickstart.ts");
      await Deno.writeTextFile(`${node}/wrong.ts`, code.replace("ann.name =", "ann.nmae ="));
      const wrong = await run(node, Deno.execPath(), "check", "--node-modules-dir=manual", "wrong.ts").catch(String);
      assert(wrong.includes("nmae"), wrong);

      // As a build would, for Node 20, which neither reads types nor knows `await using`.
      const { code: plain } = await transform(code, { loader: "ts", format: "esm", target: "node20" });
      await stop();
      await Deno.writeTextFile(`${node}/quickstart.mjs`, plain);
      assertEquals(await run(node, "node", "quickstart.mjs"), output);
    });

    const bookstore = async (runtime: string) => {
      const main = await build("node", `import "../../examples/node/main.ts";`, {});
      await Deno.writeTextFile(`${node}/main.mjs`, main);
      assert(main.includes(`from "${config.name}"`)); // that of the package
      await using store = await stores[0]!.start();
      await using shop = await startProcess(runtime, [`${node}/main.mjs`], store.settings);
      await runDay(shop, "package", store.query);
    };

    await t.step("the bookstore, built as examples/node says, runs on it in Node", () => bookstore("node"));

    const noBun = Deno.build.target === "x86_64-unknown-linux-gnu"
      ? null
      : " (Bun is taken from npm for x64 Linux only)";
    await t.step({
      name: `it installs in Bun, where the README's first example runs as it stands, and the bookstore${noBun ?? ""}`,
      ignore: noBun !== null,
      async fn() {
        const tools = `${folder}/tools`;
        await Deno.mkdir(tools);
        await run(tools, "npm", "init", "-y");
        await run(tools, "npm", "install", "@oven/bun-linux-x64@1.4.5");
        const bun = `${tools}/node_modules/@oven/bun-linux-x64/bin/bun`;
        const project = `${folder}/bun`;
        await Deno.mkdir(project);
        await Deno.writeTextFile(`${project}/package.json`, "{}");
        await run(project, bun, "add", tarball, `--cache-dir=${folder}/cache`);
        await Deno.writeTextFile(`${project}/quickstart.ts`, await quickStart());
        assertEquals(await run(project, bun, "run", "quickstart.ts"), output);
        await bookstore(bun);
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
