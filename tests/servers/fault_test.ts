/**
 * The fault proxy: each fault does what it says, to the server as to the client, and the same seed does the same.
 *
 * @module
 */
import { Client, neonConfig } from "@neondatabase/serverless";
import pg from "pg";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { safeFetch } from "../../adapters/shared/fetch.ts";
import { type Fault, FaultPlan, faults, type Script } from "./fault_plan.ts";
import { FaultProxy, type FaultProxyOptions } from "./fault_proxy.ts";
import { startNeon, useFronts } from "./neon.ts";
import { startPostgres } from "./postgres.ts";

const send = safeFetch();

/** A server that notes what arrives and answers it, behind a proxy. */
async function served(
  options: Omit<FaultProxyOptions, "to">,
  body: (place: { arrived: string[]; proxy: FaultProxy; ask: (text: string) => Promise<string> }) => Promise<void>,
): Promise<void> {
  const arrived: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const text = await request.text();
    arrived.push(text);
    return Response.json({ answer: `${text} ${arrived.length}`, path: new URL(request.url).pathname });
  });
  {
    await using proxy = new FaultProxy({ to: server.addr.port, delay: 5, late: 60, refusal: 5, ...options });
    const url = `http://127.0.0.1:${proxy.port}/some/path`;
    /** What the client sees: the answer, a status, or that there was none. */
    const ask = async (text: string): Promise<string> => {
      try {
        const response = await send(url, { method: "POST", body: text });
        const said = await response.text();
        return response.ok ? JSON.parse(said).answer : `${response.status} ${said}`;
      } catch (error) {
        return /refused/i.test(String((error as Error).cause ?? error)) ? "refused" : "lost";
      }
    };
    await body({ arrived, proxy, ask });
  }
  await server.shutdown();
}

/** A script that does this to the second request, and nothing to others. */
const toSecond = (fault: Fault): Script => ({ ordinal }) => ordinal === 1 ? fault : "none";

const seen: readonly [fault: Fault, answer: string, arrivals: number][] = [
  ["refuse", "lost", 0],
  ["drop before", "lost", 0],
  ["drop after", "lost", 1],
  ["cut", "lost", 1],
  ["500 before", "500 Internal Server Error", 0],
  ["502 before", "502 Bad Gateway", 0],
  ["503 before", "503 Service Unavailable", 0],
  ["429 before", "429 Too Many Requests", 0],
  ["500 after", "500 Internal Server Error", 1],
  ["502 after", "502 Bad Gateway", 1],
  ["503 after", "503 Service Unavailable", 1],
  ["429 after", "429 Too Many Requests", 1],
  ["delay", "b 2", 1],
  ["late", "b 2", 1],
  ["duplicate", "b 2", 2],
  ["double send", "b 3", 2],
];

Deno.test("every fault has a test", () => assertEquals(seen.map(([fault]) => fault), [...faults]));

for (const [fault, answer, arrivals] of seen) {
  Deno.test(`FaultProxy: "${fault}" over HTTP`, async () => {
    await served({ script: toSecond(fault) }, async ({ arrived, proxy, ask }) => {
      assertEquals(await ask("a"), "a 1");
      assertEquals(await ask("b"), answer);
      await proxy.settled();
      assertEquals(arrived.slice(1), Array(arrivals).fill("b"));
      assertEquals(await ask("c"), `c ${2 + arrivals}`); // All is well again.
      assertEquals([proxy.requests, proxy.faults, proxy.counts.get(fault)], [3, 1, 1]);
    });
  });
}

Deno.test("FaultProxy: what is late arrives though the client has given up", async () => {
  await served({ script: toSecond("late") }, async ({ arrived, proxy, ask }) => {
    await ask("a");
    const signal = AbortSignal.timeout(10);
    const url = `http://127.0.0.1:${proxy.port}/`;
    const error = await send(url, { method: "POST", body: "b", signal }).catch((error) => error);
    assertEquals([(error as Error).name, arrived.length], ["TimeoutError", 1]);
    await proxy.settled();
    assertEquals(arrived, ["a", "b"]);
  });
});

Deno.test("FaultProxy.refuse() has connections refused until accept() is called, and keeps those that are open", async () => {
  await served({}, async ({ arrived, proxy, ask }) => {
    assertEquals(await ask("a"), "a 1");
    await proxy.refuse();
    await Deno.connect({ hostname: "127.0.0.1", port: proxy.port }).then(() => assert(false), (error) => {
      assert(error instanceof Deno.errors.ConnectionRefused);
    });
    assertEquals(await ask("b"), "b 2");
    await proxy.accept();
    assertEquals([await ask("c"), arrived.length], ["c 3", 3]);
  });
});

Deno.test("FaultProxy.pause() lets everything through, uncounted", async () => {
  await served({ chances: { "drop before": 1 } }, async ({ proxy, ask }) => {
    proxy.pause();
    assertEquals(await ask("a"), "a 1");
    proxy.pause(false);
    assertEquals([await ask("b"), proxy.requests, proxy.faults], ["lost", 1, 1]);
  });
});

Deno.test("FaultProxy shows a script the path and what is said", async () => {
  await served({ script: ({ text }) => /b/.test(text) ? "503 before" : undefined }, async ({ proxy, ask }) => {
    assertEquals([await ask("a"), await ask("b"), await ask("a")], ["a 1", "503 Service Unavailable", "a 2"]);
    assertEquals(proxy.counts.get("503 before"), 1);
  });
});

Deno.test("FaultProxy: a closed connection makes Deno's own fetch send a POST twice", {
  ignore: Deno.version.deno !== "2.9.6", // When this changes, safeFetch may go.
}, async () => {
  await served({ script: toSecond("drop after") }, async ({ arrived, proxy }) => {
    const post = async (body: string) => {
      const response = await fetch(`http://127.0.0.1:${proxy.port}/`, { method: "POST", body });
      return (await response.json()).answer;
    };
    assertEquals([await post("a"), await post("b"), arrived], ["a 1", "b 3", ["a", "b", "b"]]);
  });
});

/** The first requests to which a seed does something. */
function drawn(seed: number): (Fault | undefined)[] {
  const plan = new FaultPlan({ seed, chances: { "drop before": 0.2, "drop after": 0.1 } });
  return Array.from({ length: 1000 }, () => plan.next("", () => "").fault);
}

Deno.test("FaultPlan draws the same faults for the same seed, and about as many as it was told", () => {
  assertEquals(drawn(1), drawn(1));
  assert(drawn(1).some((fault, i) => fault !== drawn(2)[i]));
  for (const seed of [1, 2, 3]) {
    const count = (fault: Fault) => drawn(seed).filter((one) => one === fault).length;
    assert(Math.abs(count("drop before") - 200) < 50 && Math.abs(count("drop after") - 100) < 40, `${seed}`);
  }
});

Deno.test("FaultPlan refuses chances that cannot be", () => {
  assertThrows(() => new FaultPlan({ chances: { cut: 0.7, delay: 0.7 } }), RangeError, "1.4");
  assertThrows(() => new FaultPlan({ chances: { cut: -0.1 } }), RangeError);
  assertThrows(() => new FaultPlan({ chances: { cut: NaN } }), RangeError);
});

await startPostgres(); // Shared by what runs after, and so no leak of the first test.
useFronts(neonConfig);

/** Inserts a row through a proxy that does this to the turn of the INSERT: whether it was answered, and the rows there. */
async function inserted(fault: Fault, over: "WebSocket" | "TCP"): Promise<[answered: boolean, rows: number]> {
  await using server = await startNeon();
  await server.db.query("CREATE TABLE t (id int)");
  const to = Number(new URL(over === "TCP" ? server.db.url : server.url).port);
  const protocol = over === "TCP" ? "tcp" : "http";
  let turns = 0;
  const script: Script = ({ text }) => {
    // Frames of a WebSocket are masked; the handshake and the login come first.
    const isInsert = over === "TCP" ? text.includes("INSERT") : ++turns === 1;
    return isInsert ? fault : "none";
  };
  await using proxy = new FaultProxy({ to, protocol, delay: 5, late: 30, script });
  const url = new URL(server.db.url);
  url.port = String(proxy.port);
  const client = over === "TCP" ? new pg.Client(url.href) : new Client(url.href);
  client.on("error", () => {});
  proxy.pause(over === "WebSocket");
  await client.connect();
  proxy.pause(false);
  const answered = await client.query("INSERT INTO t VALUES (1)").then(() => true, () => false);
  await proxy.settled();
  proxy.pause();
  const ended = client.end().catch(() => {}); // Neon's never resolves where the connection is gone.
  if (over === "TCP") await ended;
  for (const end = Date.now() + 5000; await server.db.connections() > 0;) assert(Date.now() < end);
  assertEquals(proxy.faults, fault.startsWith("du") ? 0 : 1);
  return [answered, (await server.db.query("SELECT * FROM t")).length];
}

const turns: readonly [fault: Fault, answered: boolean, rows: number][] = [
  ["refuse", false, 0],
  ["drop before", false, 0],
  ["drop after", false, 1],
  ["cut", false, 1],
  ["503 before", false, 0],
  ["503 after", false, 1],
  ["delay", true, 1],
  ["late", true, 1],
  ["duplicate", true, 1],
];

for (const over of ["TCP", "WebSocket"] as const) {
  for (const [fault, answered, rows] of turns) {
    Deno.test(`FaultProxy: "${fault}" in the conversation of a real PostgreSQL, ${over}`, async () => {
      assertEquals(await inserted(fault, over), [answered, rows]);
    });
  }
}
