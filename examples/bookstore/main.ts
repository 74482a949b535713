/**
 * `deno task start`: serves the bookstore on an embedded libSQL file, until Ctrl-C.
 *
 * The file is ./bookstore.db, or what `--db=FILE` or BOOKSTORE_DB says; the port is 8000, or what `--port=N` or PORT says
 * (0 takes a free one).
 *
 * @module
 */
import { createAll } from "@ledge/session";
import { libsql } from "@ledge/session/libsql/local";
import { createApp, models } from "./app.ts";

/** An option of the command line, else of the environment. */
function setting(flag: string, variable: string, otherwise: string): string {
  const given = Deno.args.find((arg) => arg.startsWith(`--${flag}=`));
  return given?.slice(flag.length + 3) ?? Deno.env.get(variable) ?? otherwise;
}

const unknown = Deno.args.find((arg) => !/^--(db|port)=/.test(arg));
const path = setting("db", "BOOKSTORE_DB", "./bookstore.db");
const port = Number(setting("port", "PORT", "8000"));
if (unknown !== undefined || path === "" || !Number.isInteger(port) || port < 0 || port > 65535) {
  console.error("Usage: deno task start [--db=FILE] [--port=NUMBER]");
  Deno.exit(2);
}

const db = libsql({ url: `file:${path}` });
await createAll(db, models);

const server = Deno.serve({
  port,
  hostname: "127.0.0.1",
  onListen: ({ port }) => {
    const url = `http://127.0.0.1:${port}`;
    const author = '{"name": "Ann", "email": "ann@example.org", "books": ' +
      '[{"title": "Edges", "isbn": "978-1", "cents": 1900}]}';
    console.log(`The bookstore is open at ${url}, on ${path}. Ctrl-C closes it. Try:\n`);
    console.log(`  curl ${url}/authors --json '${author}'`);
    console.log(`  curl ${url}/authors`);
  },
}, createApp(db).fetch);

Deno.addSignalListener("SIGINT", () => server.shutdown()); // answers what is under way, then ends
await server.finished;
await db.close();
console.log("\nThe bookstore is closed.");
