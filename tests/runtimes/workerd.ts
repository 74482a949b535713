/**
 * Starts workerd, the runtime of Cloudflare's workers, with one bundled worker on a free port.
 *
 * @module
 */
import workerd from "workerd";

const config = (flags: readonly string[]): string => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-07-01",
      compatibilityFlags = ${JSON.stringify(flags)},
      globalOutbound = "outbound",
    )),
    (name = "outbound", network = (allow = ["private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`;

// A CommonJS package that has a default export of its own: the path of the binary.
const binary: string = workerd.default;

/** A running worker. */
export interface RunningWorker extends AsyncDisposable {
  readonly url: string;
}

/**
 * Starts a worker from the text of its module. Without compatibility flags, as unless given, what runs here needs nothing of
 * Node's. Takes 0.1 to 0.2 s.
 */
export async function startWorkerd(worker: string, flags: readonly string[] = []): Promise<RunningWorker> {
  const folder = await Deno.makeTempDir({ prefix: "workerd-" });
  await Deno.writeTextFile(`${folder}/worker.js`, worker);
  await Deno.writeTextFile(`${folder}/config.capnp`, config(flags));
  const child = new Deno.Command(binary, {
    args: ["serve", `${folder}/config.capnp`, "--control-fd=1"],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const messages = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const stop = async (): Promise<string> => {
    try {
      child.kill();
    } catch {
      // It has ended by itself.
    }
    await child.status;
    await messages.cancel();
    await Deno.remove(folder, { recursive: true });
    return await errors;
  };
  let said = "";
  for (;;) {
    const { value, done } = await messages.read();
    if (done) throw new Error(`workerd did not start: ${await stop()}`);
    said += value;
    const port = /"event":"listen","socket":"http","port":(\d+)/.exec(said)?.[1];
    if (port === undefined) continue;
    return {
      url: `http://127.0.0.1:${port}`,
      async [Symbol.asyncDispose]() {
        const complaints = await stop();
        if (complaints !== "") console.error(complaints);
      },
    };
  }
}
