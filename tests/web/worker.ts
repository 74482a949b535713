/**
 * The same small application with `withSession()` and with Hono, to be bundled for each runtime. Its database is known by
 * the environment that comes with each request. Knows nothing of the tests but where to ask when to go on.
 *
 * @module
 */
import { Hono } from "hono";
import { streamText } from "hono/streaming";
import { libsql } from "../../adapters/libsql.ts";
import { model, type Session, t } from "../../mod.ts";
import { withSession } from "../../src/web/handler.ts";
import { session } from "../../src/web/hono.ts";

/** What comes with each request. */
export interface Env {
  readonly DATABASE_URL: string;
  /** A URL that answers when a handler that waits may go on. */
  readonly GATE: string;
}

/** The part of Workers' and Vercel's contexts that matters here. */
interface Context {
  waitUntil(work: Promise<unknown>): void;
  passThroughOnException(): void;
  readonly props: unknown;
}

class Book extends model("books", {
  id: t.uuid().primaryKey(),
  title: t.text().unique(),
  version: t.integer().version(),
}) {}

/** What a request asks for: the last part of its path is a title. */
async function work(session: Session, request: Request, { GATE }: Env): Promise<number> {
  const { pathname, searchParams } = new URL(request.url);
  if (request.method === "GET") return (await session.query(Book).all()).length;
  session.add(new Book({ title: pathname.split("/").at(-1)! }));
  if (searchParams.has("flush")) await session.flush();
  if (searchParams.has("wait")) await (await fetch(GATE)).text();
  return Number(searchParams.get("status") ?? 200);
}

const bind = ({ DATABASE_URL }: Env) => libsql({ url: DATABASE_URL });

const handler = withSession<[env: Env, ctx: Context]>(
  { bind: (_request, env) => bind(env), closeBind: true, readOnly: true },
  async (request, session, env) => {
    const result = await work(session, request, env);
    if (request.method === "GET") return Response.json(result);
    if (!request.url.includes("stream")) return new Response("done", { status: result });
    const encoder = new TextEncoder();
    let written = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(out) {
        if (written++ > 0) {
          await (await fetch(env.GATE)).text();
          out.enqueue(encoder.encode("second"));
          out.close();
        } else out.enqueue(encoder.encode("first "));
      },
    });
    return new Response(body);
  },
);

const app = new Hono<{ Bindings: Env }>()
  .use(session({ bind: (c) => bind(c.env), closeBind: true, readOnly: true, serverTiming: true }))
  .get("*", async (c) => c.json(await work(c.var.session, c.req.raw, c.env)))
  .post("*", async (c) => {
    const result = await work(c.var.session, c.req.raw, c.env);
    if (c.req.query("stream") === undefined) return new Response("done", { status: result });
    return streamText(c, async (out) => {
      await out.write("first ");
      await (await fetch(c.env.GATE)).text();
      await out.write("second");
    });
  });

/** The worker: `/handler/…` and `/hono/…` are the same. */
export default {
  fetch: (request: Request, env: Env, ctx: Context): Response | Promise<Response> =>
    new URL(request.url).pathname.startsWith("/hono/") ? app.fetch(request, env, ctx) : handler(request, env, ctx),
};
