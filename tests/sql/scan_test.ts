import { assertEquals } from "@std/assert";
import { countPlaceholders, isMultiple, isRead, isVolatile, transactionControl } from "../../src/sql/scan.ts";

function table<T>(of: (text: string) => T, cases: Readonly<Record<string, T>>): void {
  for (const [text, wanted] of Object.entries(cases)) assertEquals(of(text), wanted, text);
}

Deno.test("isRead() tells reads from writes by their keywords", () => {
  table(isRead, {
    "SELECT 1": true,
    "  select * from t;  ": true,
    "-- a note\n/* another */ SELECT 1": true,
    "(SELECT 1) UNION (SELECT 2)": true,
    "VALUES (1), (2)": true,
    "EXPLAIN QUERY PLAN DELETE FROM t": true,
    "EXPLAIN ANALYZE SELECT 1": true,
    "EXPLAIN (ANALYZE) DELETE FROM t": false,
    "WITH a AS (SELECT 1) SELECT * FROM a": true,
    "WITH a AS (SELECT replace(x, 'a', 'b') FROM t) SELECT * FROM a": true,
    "WITH a AS (SELECT 'DELETE', \"update\", [insert], `merge` FROM t) SELECT * FROM a -- DELETE": true,
    "WITH a AS (SELECT $x$ DELETE FROM t $x$) SELECT * FROM a": true,
    "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a": false,
    "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a": false,
    "WITH a AS (SELECT 1) REPLACE INTO t SELECT * FROM a": false,
    "SELECT 'into;', intone FROM t -- INTO": true,
    "SELECT * INTO copy FROM t": false,
    "select 1\n;\ndelete from t": false,
    "INSERT INTO t VALUES (1)": false,
    "PRAGMA foreign_keys": false,
    "CREATE TABLE t (a)": false,
    "SELECT 1; DELETE FROM t": false,
    "/* SELECT */ DELETE FROM t": false,
    "": false,
    "-- nothing": false,
  });
});

Deno.test("transactionControl() gives the keyword when a statement begins, ends or divides a transaction", () => {
  table(transactionControl, {
    "BEGIN IMMEDIATE": "BEGIN",
    " /* now */ commit": "COMMIT",
    ";END": "END",
    "rollback to a": "ROLLBACK",
    "SAVEPOINT a": "SAVEPOINT",
    "RELEASE a": "RELEASE",
    "Start Transaction": "START TRANSACTION",
    "PREPARE TRANSACTION 'a'": "PREPARE TRANSACTION",
    "PREPARE a AS SELECT 1": null,
    "SELECT 'COMMIT'": null,
    "SELECT commit FROM t": null,
    '"COMMIT"': null,
    "": null,
  });
});

Deno.test("isMultiple() finds a second statement when there is one", () => {
  table(isMultiple, {
    "SELECT 1": false,
    "SELECT 1;": false,
    "SELECT 1; -- done": false,
    ";;SELECT 1;;": false,
    "SELECT ';' , \";\", [;], `;` -- ;\n /* ; */": false,
    "SELECT 'it''s; fine'": false,
    "SELECT $$;$$, $a$ ; $$ ; $a$": false,
    "SELECT E'\\';'": false,
    "SELECT '\\'; SELECT 2": true,
    "SELECT 1; SELECT 2": true,
    "SELECT a[1]; SELECT b[2]": true,
    "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = CASE WHEN 1 THEN 2 END; DELETE FROM c; END": false,
    "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; DROP TABLE a": true,
    "CREATE TABLE a (b); CREATE TABLE c (d)": true,
  });
});

Deno.test("countPlaceholders() counts the values that a text needs", () => {
  table(countPlaceholders, {
    "SELECT 1": 0,
    "SELECT ?, ?": 2,
    "SELECT ?3, ?": 4,
    "SELECT ?2, ?1, ?2": 2,
    "SELECT $1, $2, $1": 2,
    "SELECT '?', \"?\", [?], `?` -- ?\n, /* ? */ ?": 1,
    "SELECT $q$ ? $1 $q$, $1": 1,
    "SELECT a::text, b[1:2], ARRAY[$1, $2] FROM t WHERE c = $3": 3,
    "SELECT :id": null,
    "SELECT @id": null,
    "SELECT $id, ?": null,
  });
});

Deno.test("isVolatile() finds calls that give another value each time", () => {
  table(isVolatile, {
    "random()": true,
    "abs(Random () % 2)": true,
    "now()": true,
    "clock_timestamp()": true,
    "nextval('s')": true,
    "gen_random_uuid()": true,
    "CURRENT_TIMESTAMP": true,
    "created < datetime('now', '-1 day')": true,
    "created < date()": true,
    "date(created) = '2024-01-01'": false,
    "random > 1": false,
    "'random()'": false,
    '"now"() = 1': false,
    "lower(name) -- now()": false,
    "price * 2": false,
  });
});

Deno.test("isMultiple() reads a long literal without giving up", () => {
  assertEquals(isMultiple(`SELECT '${"it''s; ".repeat(500_000)}'`), false);
});
