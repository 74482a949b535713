/**
 * Serves books with Deno.serve, by withSession() and by Hono, to clients that stay and clients that go away; prints what was
 * saved of each as JSON. With the argument "quiet" only to those whose signal nobody needs to look at.
 *
 * @module
 */
import { sessionFactory } from "@ledge/session";
import { withSession } from "@ledge/session/handler";
import { session } from "@ledge/session/hono";
import { Hono } from "hono";
import { streamText } from "hono/streaming";
import { Book, gate, type Place, setUp } from "./kit.ts";

/** Options that both forms take. */
type Options = { readonly commitAborted?: boolean; readonly readOnly?: boolean };
type Fetch = (request: Request, info: Deno.ServeHandlerInfo) => Response | Promise<Response>;

/** What one handler does, and how far it has come. */
interface Steps {
  readonly started: ReturnType<typeof gate>;
  readonly goOn: ReturnType<typeof gate>;
}

/** The same handler in both forms: adds a book before or after it waits, and answers with it, or streams it. */
const forms: Readonly<Record<string, (place: Place, options: Options, title: string, steps: Steps) => Fetch>> = {
  handler: ({ db }, options, title, { started, goOn }) =>
    withSession({ factory: sessionFactory({ bind: db }), ...options }, async (request, session) => {
      const late = title === "late";
      if (!late && request.method === "POST") session.add(new Book({ title }));
      if (title === "streamed") {
        const body = new ReadableStream({
          start: (out) => out.enqueue(new TextEncoder().encode(title)),
          pull: () => goOn.reached,
        });
        return new Response(body);
      }
      started.pass();
      await goOn.reached;
      if (late) session.add(new Book({ title }));
      return new Response(title, { status: 201 });
    }),
  hono: ({ db }, options, title, { started, goOn }) =>
    new Hono().use(session({ factory: sessionFactory({ bind: db }), ...options })).all("/", async (c) => {
      const late = title === "late";
      if (!late && c.req.method === "POST") c.var.session.add(new Book({ title }));
      if (title === "streamed") {
        return streamText(c, async (out) => {
          await out.write(title);
          await goOn.reached;
        });
      }
      started.pass();
      await goOn.reached;
      if (late) c.var.session.add(new Book({ title }));
      return c.text(title, 201);
    }).fetch,
};

/** A client that goes away when the handler has started, or when it has got the first byte of the body. */
async function leave({ port, hostname }: Deno.NetAddr, method: string, until: Promise<void> | null): Promise<void> {
  const connection = await Deno.connect({ port, hostname });
  await connection.write(new TextEncoder().encode(`${method} / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(1024);
  for (let got = ""; until === null && !got.includes("streamed");) {
    const size = await connection.read(buffer);
    if (size === null) break;
    got += decoder.decode(buffer.subarray(0, size));
  }
  await until;
  connection.close();
}

/** Serves one request, from which the client goes away unless it `stays`; gives what was saved of it. */
async function run(
  form: string,
  title: string,
  { stays = false, method = "POST", ...options }: Options & { readonly stays?: boolean; readonly method?: string } = {},
): Promise<unknown> {
  await using place = await setUp();
  const steps: Steps = { started: gate(), goOn: gate() };
  const fetch = forms[form]!(place, options, title, steps);
  const done = gate();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request, info) => {
    if (new URL(request.url).pathname !== "/") return new Response();
    const response = await fetch(request, info);
    done.pass();
    return response;
  });
  const { port, hostname } = server.addr;
  let answer: unknown[] = [];
  if (stays) {
    steps.goOn.pass();
    const response = await globalThis.fetch(`http://${hostname}:${port}/`, { method });
    answer = [response.status];
    await response.body?.cancel();
  } else {
    await leave(server.addr, method, title === "streamed" ? null : steps.started.reached);
    // The server has heard of it by the time that it has answered others.
    for (let i = 0; i < 20; i++) await (await globalThis.fetch(`http://${hostname}:${port}/other`)).text();
    steps.goOn.pass();
  }
  await done.reached;
  await server.shutdown();
  if (place.server.openStreams > 0) throw new Error(`${form} left a stream open`);
  return stays ? [...answer, place.titles()] : place.titles();
}

const results: Record<string, Record<string, unknown>> = {};
for (const form of Object.keys(forms)) {
  const quiet = {
    "left, with commitAborted": await run(form, "aborted", { commitAborted: true }),
    "left, of a read-only session": await run(form, "read", { readOnly: true, method: "GET" }),
    "answered, with commitAborted": await run(form, "stays", { stays: true, commitAborted: true }),
  };
  results[form] = Deno.args.includes("quiet") ? quiet : {
    ...quiet,
    "answered": await run(form, "stays", { stays: true }),
    "left before the commit": await run(form, "early"),
    "left before the session was touched": await run(form, "late"),
    "left after the first byte": await run(form, "streamed"),
  };
}
console.log(JSON.stringify(results));
