import { assertEquals, assertThrows } from "@std/assert";
import { ValidationError } from "../../src/errors.ts";
import { mysqlText, splitPlaceholders } from "../../src/sql/mysql_tokens.ts";
import { countPlaceholders, isMultiple, isRead, isVolatile, transactionControl } from "../../src/sql/scan.ts";

function table<T>(of: (text: string) => T, cases: Readonly<Record<string, T>>): void {
  for (const [text, wanted] of Object.entries(cases)) assertEquals(of(text), wanted, text);
}

Deno.test("isRead() tells MySQL's reads from its writes", () => {
  table((text) => isRead(text, mysqlText), {
    "SELECT 1": true,
    "# a note\n-- another\n/* a third */ SELECT 1": true,
    "SELECT * FROM t WHERE a = 'it\\'s; DELETE' FOR UPDATE": true,
    "SELECT * FROM t LOCK IN SHARE MODE": true,
    "SELECT replace(a, 'x', 'y') FROM t": true,
    "SELECT * INTO OUTFILE '/tmp/x' FROM t": false,
    "SELECT 1 INTO @x": false,
    "SELECT 'INTO', \"INTO\", `into` FROM t": true,
    "SELECT 1 /*!INTO @x */": false,
    "SELECT 1 /* INTO @x */": true,
    "/*!50000 DELETE FROM t */": false,
    "/*M!100100 DELETE FROM t */": false,
    "SHOW TABLES": true,
    "DESCRIBE t": true,
    "DESC t": true,
    "TABLE t": true,
    "TABLE t INTO OUTFILE '/tmp/x'": false,
    "EXPLAIN UPDATE t SET a = 1": true,
    "EXPLAIN ANALYZE UPDATE t SET a = 1": false,
    "WITH a AS (SELECT 1) SELECT * FROM a": true,
    "WITH a AS (SELECT 1) UPDATE t SET b = 1": false,
    "SET @x = 1": false,
    "CALL p()": false,
    "DO 1": false,
    "REPLACE INTO t VALUES (1)": false,
    "SELECT 1; DELETE FROM t": false,
    "SELECT '\\'; DELETE FROM t; -- '": true,
    "SELECT 5--1; DELETE FROM t": false,
  });
  // To the other dialects SHOW is a write, and MySQL's comments are none.
  assertEquals([isRead("SHOW TABLES"), isRead("# a note\nSELECT 1")], [false, false]);
});

Deno.test("transactionControl() knows what begins and ends a transaction in MySQL", () => {
  table((text) => transactionControl(text, mysqlText), {
    "/*! BEGIN */": "BEGIN",
    "START TRANSACTION READ ONLY": "START TRANSACTION",
    "# now\nCOMMIT": "COMMIT",
    "XA START 'a'": "XA",
    "SET autocommit = 1": "SET AUTOCOMMIT",
    "SET SESSION AutoCommit=0": "SET AUTOCOMMIT",
    "SET @a = 1, @@session.autocommit = 1": "SET AUTOCOMMIT",
    "SET @autocommit = 1": null,
    "SET names utf8mb4": null,
    "SELECT @@autocommit": null,
    "UPDATE t SET autocommit = 1": null,
  });
});

Deno.test("isMultiple() finds a second statement in MySQL text", () => {
  table((text) => isMultiple(text, mysqlText), {
    "SELECT ';', \";\", `;` # ;\n -- ;\n /* ; */": false,
    "SELECT 'it\\'s; fine', 'it''s; fine', \"a\\\"; b\"": false,
    "SELECT 1 /*! ; DELETE FROM t */": true,
    "SELECT 1 -- ; none\n": false,
    "SELECT 1 --; one": true,
    "SELECT 'a\\\\'; SELECT 2": true,
    "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END": false,
  });
  assertEquals(isMultiple(`SELECT '${"it\\'s; ".repeat(500_000)}'`, mysqlText), false);
});

Deno.test("countPlaceholders() and splitPlaceholders() find MySQL's placeholders alone", () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    "SELECT 1": ["SELECT 1"],
    "?": ["", ""],
    "SELECT ?, ?": ["SELECT ", ", ", ""],
    "SELECT '?', \"?\", `?`, '\\'?', '''?', \"\\\"?\" # ?\n, ? -- ?\n/* ? */, ?": [
      "SELECT '?', \"?\", `?`, '\\'?', '''?', \"\\\"?\" # ?\n, ",
      " -- ?\n/* ? */, ",
      "",
    ],
    "SELECT @id, @@x, $1, @x:=1, ?1": ["SELECT @id, @@x, $1, @x:=1, ", "1"],
    "SELECT 5--?": ["SELECT 5--", ""],
    "SELECT ? // ?": ["SELECT ", " // ?"],
    "SELECT /*! 1, */ ?": ["SELECT /*! 1, */ ", ""],
    "SELECT /*+ hint(?) */ ?": ["SELECT /*+ hint(?) */ ", ""],
    "SELECT '?": ["SELECT '?"],
    "SELECT '\\": ["SELECT '\\"],
  };
  for (const [text, pieces] of Object.entries(cases)) {
    assertEquals(splitPlaceholders(text), [...pieces], text);
    assertEquals(countPlaceholders(text, false, mysqlText), pieces.length - 1, text);
  }
  // Values by name become `?` before the driver sees them.
  assertEquals(countPlaceholders("SELECT :id", false, mysqlText), null);
  assertEquals(splitPlaceholders("SELECT :id"), ["SELECT :id"]);
  // A server that skips the comment ends it at the first end of a comment, in a value too.
  for (const text of ["SELECT 1 /*!99999 + ? */", "SELECT 1 /*M!999999 + ? */"]) {
    assertThrows(() => splitPlaceholders(text), ValidationError, "executable comment");
  }
});

Deno.test("isVolatile() finds what gives another value each time in MySQL", () => {
  table((text) => isVolatile(text, mysqlText), {
    "uuid()": true,
    "rand() < 0.5": true,
    "created < now(3)": true,
    "created < CURRENT_TIMESTAMP": true,
    "@n := @n + 1": true,
    "@@version = 'x'": false,
    "name = 'now()' # now()": false,
    "`rand`(1)": false,
    "price * 2": false,
  });
});
