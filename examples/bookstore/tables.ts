/**
 * Makes the bookstore's tables in the database of DATABASE_URL (and DATABASE_TOKEN), once, before the first deployment:
 *
 * ```sh
 * DATABASE_URL=libsql://… deno run -EN examples/bookstore/tables.ts
 * ```
 *
 * @module
 */
import { createAll } from "@ledge/session";
import { models } from "./app.ts";
import { open } from "./open.ts";

const db = open(Deno.env.toObject());
await createAll(db, models);
await db.close();
console.log(`The tables are there, in ${db.description}.`);
