/**
 * Starts the bookstore on a temporary database, drives it with real HTTP requests and prints what each of them cost:
 * `deno task demo` on libSQL, `deno task demo --adapter neon` on a real PostgreSQL, `--adapter planetscale` on a real
 * MariaDB. Ends with exit code 0 if every answer was as expected, and leaves nothing behind.
 *
 * @module
 */
import { createAll } from "@ledge/session";
import { createApp, models } from "./app.ts";
import { counted } from "./counted.ts";
import { type Stage, stages } from "./stages.ts";

/** A step of the demo: what is asked, and what must be answered. */
interface Step {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly status: number;
}

type Json = Record<string, unknown>;

async function demo({ db, requests }: Stage): Promise<boolean> {
  await createAll(db, models);
  const { db: watched, counts } = counted(db);
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, createApp(watched).fetch);
  let good = true;

  async function step({ what, method, path, body, status }: Step): Promise<Json> {
    counts.requests = 0;
    counts.statements = 0;
    const before = requests?.() ?? 0;
    const response = await fetch(`http://127.0.0.1:${server.addr.port}${path}`, {
      method,
      ...body === undefined ? {} : { body: JSON.stringify(body) },
    });
    const answer = await response.text();
    const asExpected = response.status === status;
    good &&= asExpected;
    print([
      what,
      method,
      String(response.status),
      String(requests === undefined ? counts.requests : requests() - before),
      String(counts.statements),
      asExpected ? "" : `expected ${status}: ${answer}`,
    ]);
    return answer === "" ? {} : JSON.parse(answer);
  }

  print(["what", "method", "status", "requests", "statements", ""]);
  try {
    const books = ["Edges", "More edges", "Last edges"].map((title, i) => ({
      title,
      isbn: `978-${i}`,
      cents: 1200 + i,
    }));
    const ann = await step({
      what: "create an author with three books",
      method: "POST",
      path: "/authors",
      body: { name: "Ann", email: "ann@example.com", books },
      status: 201,
    });
    const [edges] = ann.books as Json[];
    await step({
      what: "review a book",
      method: "POST",
      path: `/books/${edges!.id}/reviews`,
      body: { stars: 5, text: "Sharp" },
      status: 201,
    });
    await step({
      what: "read the graph: author, books, reviews",
      method: "GET",
      path: `/authors/${ann.id}`,
      status: 200,
    });
    await step({
      what: "edit the author",
      method: "PATCH",
      path: `/authors/${ann.id}`,
      body: { name: "Ann Lee", version: 1 },
      status: 200,
    });
    await step({
      what: "edit it by a stale version",
      method: "PATCH",
      path: `/authors/${ann.id}`,
      body: { name: "Bo", version: 1 },
      status: 409,
    });
    await step({
      what: "edit a book's price",
      method: "PATCH",
      path: `/books/${edges!.id}`,
      body: { cents: 990 },
      status: 200,
    });
    await step({
      what: "give a price that is text",
      method: "PATCH",
      path: `/books/${edges!.id}`,
      body: { cents: "cheap" },
      status: 400,
    });
    await step({
      what: "give an author a name that is too long",
      method: "POST",
      path: "/authors",
      body: { name: "x".repeat(101) },
      status: 400,
    });
    await step({
      what: "take an email that is taken",
      method: "POST",
      path: "/authors",
      body: { name: "Cy", email: "ann@example.com" },
      status: 409,
    });
    await step({ what: "ask for an author that is not there", method: "GET", path: "/authors/none", status: 404 });
    await step({
      what: "delete the author, books and reviews",
      method: "DELETE",
      path: `/authors/${ann.id}`,
      status: 204,
    });
    await step({ what: "see that the author is gone", method: "GET", path: `/authors/${ann.id}`, status: 404 });
  } finally {
    await server.shutdown();
  }
  return good;
}

const WIDTHS = [40, 8, 8, 10, 12, 0];

function print(cells: readonly string[]): void {
  console.log(cells.map((cell, i) => cell.padEnd(WIDTHS[i]!)).join("").trimEnd());
}

function chosenAdapter(): string {
  const at = Deno.args.indexOf("--adapter");
  return at < 0 ? "libsql" : Deno.args[at + 1] ?? "";
}

const open = Object.hasOwn(stages, chosenAdapter()) ? stages[chosenAdapter()] : undefined;
if (open === undefined) {
  console.error(`There is no adapter "${chosenAdapter()}" here; there is ${Object.keys(stages).join(", ")}`);
  Deno.exit(2);
}
const stage = await open();
let good = false;
try {
  console.log(`The bookstore on ${chosenAdapter()}: what each request to it costs at the database\n`);
  good = await demo(stage);
} finally {
  await stage.close();
}
console.log(good ? "\nAll answers as expected; nothing is left behind." : "\nSome answers were not as expected.");
if (!good) Deno.exitCode = 1;
