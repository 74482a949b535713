/**
 * What starting a database server for tests takes, whichever it is: another user when the tests run as root, a free port, a
 * folder that all test files of a process share, and a program's output.
 *
 * @module
 */

/** Whom to run a server as. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Servers refuse to run as root; somebody else then: `nobody`, who is on every Linux. */
export async function serverUser(): Promise<User | undefined> {
  if (Deno.uid() !== 0) return undefined;
  const names = await Deno.readTextFile("/etc/passwd");
  const line = /^nobody:[^:]*:(\d+):(\d+):/m.exec(names);
  if (line === null) throw new Error("A server does not run as root, and there is no user nobody to run it as");
  return { uid: Number(line[1]), gid: Number(line[2]) };
}

/** What a program printed; an error with what it complained of, if it failed. */
export async function output(program: string, args: string[], user: User | undefined, cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    ...user,
    cwd,
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} failed: ${text.decode(stderr)}${text.decode(stdout)}`);
  return text.decode(stdout);
}

/** A port that nobody listens on; it may be taken meanwhile. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Whether somebody listens there. */
export async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Where temporary files go. */
async function temporary(): Promise<string> {
  const probe = await Deno.makeTempDir();
  await Deno.remove(probe);
  return probe.slice(0, probe.lastIndexOf("/"));
}

/**
 * The server that all test files of this process share, started by whoever asks first: they run in isolates and see
 * nothing of each other but the file system. `start` fills the folder and tells of itself by {@linkcode announce}.
 */
export async function shared<Address extends { readonly port: number }>(
  name: string,
  start: (folder: string) => Promise<Address>,
): Promise<Address> {
  const folder = `${await temporary()}/ledge-${name}-${Deno.pid}`;
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(20)) {
    try {
      await Deno.mkdir(folder, { mode: 0o700 });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      const ready = await Deno.readTextFile(`${folder}/ready`).catch(() => undefined);
      if (ready === undefined) continue; // Another file's tests are starting it.
      const address: Address = JSON.parse(ready);
      if (await answers(address.port)) return address;
      await Deno.remove(folder, { recursive: true }); // Left behind by a machine that went down.
      continue;
    }
    try {
      return await start(folder);
    } catch (error) {
      await Deno.remove(folder, { recursive: true }).catch(() => {});
      throw error;
    }
  }
  throw new Error(`The ${name} server did not start in a minute; if ${folder} was left behind, remove it`);
}

/** Says where the server in this folder is, all at once. */
export async function announce(folder: string, address: unknown): Promise<void> {
  await Deno.writeTextFile(`${folder}/ready.new`, JSON.stringify(address), { mode: 0o600 });
  await Deno.rename(`${folder}/ready.new`, `${folder}/ready`);
}
