/**
 * What the torture run writes: rows from which can be told afterwards, for each commit, whether it is there, whole, and how
 * often.
 *
 * @module
 */
import { belongsTo, hasMany, model, sql, t } from "../../mod.ts";

/** Money moves between these; the sum stays. */
export class Account extends model("accounts", {
  id: t.integer().primaryKey(),
  balance: t.integer(),
  version: t.integer().version(),
}) {}

/** What a commit leaves behind: a key made by the server and a tag that is not unique, so that a second one would show. */
export class Entry extends model("entries", {
  id: t.identity(),
  tag: t.varchar(60),
  kind: t.varchar(20),
  source: t.integer().nullable(),
  target: t.integer().nullable(),
  amount: t.integer(),
  about: t.varchar(60).nullable(),
  mark: t.integer().serverDefault(sql`7`),
}) {}

/** A key made by the client, and a unique value. */
export class Ticket extends model("tickets", { id: t.uuid().primaryKey(), code: t.varchar(60).unique() }) {}

/** A graph by keys that the server makes; the tag is not unique. */
export class Order extends model("orders", { id: t.identity(), tag: t.varchar(60) }) {
  declare lines?: Line[];
  static relations = { lines: hasMany(() => Line, "orderId") };
}

export class Line extends model("order_lines", {
  id: t.identity(),
  amount: t.integer(),
  orderId: t.integer("order_id").foreignKey(),
}) {
  declare order?: Order;
  static relations = { order: belongsTo(() => Order, "orderId") };
}

/** One a worker, changed by a single versioned statement. */
export class Note extends model("notes", {
  id: t.integer().primaryKey(),
  tag: t.varchar(60),
  version: t.integer().version(),
}) {}

/** One a worker, counted up by a staged statement that nothing guards. */
export class Counter extends model("counters", { id: t.integer().primaryKey(), n: t.integer() }) {}

export const models = [Account, Entry, Ticket, Order, Line, Note, Counter];

/** How many accounts there are, and what each has at the beginning. */
export const ACCOUNTS = 48;
export const BALANCE = 1000;
