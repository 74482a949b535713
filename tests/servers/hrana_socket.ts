/**
 * Hrana 2 over one WebSocket: streams side by side, each with its own queue, and texts stored for all of them.
 *
 * @module
 */
import type { HranaLogEntry, HranaServer } from "./hrana.ts";
import { answer, resolveAll, resolver, storage } from "./hrana_request.ts";
import type { HranaStream } from "./hrana_stream.ts";
import { HranaError, type WireRequest } from "./hrana_value.ts";

/** What a socket needs of its server. */
export interface SocketHost {
  readonly server: HranaServer;
  readonly token: string | undefined;
  open(): HranaStream;
  count(type: string): HranaLogEntry;
  sleep(ms: number): Promise<void>;
  hook<T>(answer: T | Promise<T>): Promise<T | undefined>;
}

/** Serves a socket; the function it returns ends its streams, once what runs on them is done. */
export function serveSocket(socket: WebSocket, host: SocketHost): () => Promise<void> {
  const { server } = host;
  const streams = new Map<number, { stream: HranaStream; turn: Promise<void> }>();
  const sqls = new Map<number, string>();
  const resolve = resolver(sqls);
  let arrival = Promise.resolve(); // messages are handled in order, each `latency` after it came
  let welcome = false;

  const send = (message: unknown) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const text = JSON.stringify(message);
    server.bytesOut += new TextEncoder().encode(text).length;
    socket.send(text);
  };

  const reply = async (request_id: number, request: WireRequest, work: () => Promise<unknown>) => {
    let message: unknown;
    try {
      const { beforeMessage } = server;
      if (beforeMessage && await host.hook(beforeMessage(request)) === "cut") return socket.close(3000, "cut");
      message = { type: "response_ok", request_id, response: await work() };
    } catch (error) {
      const wire = error instanceof HranaError ? error.toWire() : { message: String(error), code: "INTERNAL" };
      message = { type: "response_error", request_id, error: wire };
    }
    const { afterMessage } = server;
    if (afterMessage && await host.hook(afterMessage(request)) === "cut") return socket.close(3000, "cut");
    send(message);
  };

  const handle = (message: { type: string; jwt?: string; request_id: number; request: WireRequest }) => {
    if (message.type === "hello") {
      welcome = host.token === undefined || message.jwt === host.token;
      const error = { message: "Unauthorized: the token is missing or wrong", code: "AUTH_JWT_INVALID" };
      return send(welcome ? { type: "hello_ok" } : { type: "hello_error", error });
    }
    if (!welcome) return;
    const { request_id, request } = message;
    const id = request.stream_id ?? -1;
    if (request.type === "open_stream") {
      streams.set(id, { stream: host.open(), turn: Promise.resolve() });
      return send({ type: "response_ok", request_id, response: { type: "open_stream" } });
    }
    if (request.type === "store_sql" || request.type === "close_sql") {
      // At once, and answered in order: a later message may use the text.
      return send({ type: "response_ok", request_id, response: storage(request, sqls) });
    }
    const entry = /^(?:execute|batch|sequence)$/.test(request.type) ? host.count(request.type) : undefined;
    const open = streams.get(id);
    // Texts are looked up now: the message that forgets one may be handled before this one's turn.
    let resolved: WireRequest | HranaError;
    try {
      resolved = open ? resolveAll(request, resolve) : new HranaError(`Stream ${id} is not open`, "STREAM_NOT_FOUND");
    } catch (error) {
      resolved = error as HranaError;
    }
    const turn = (open?.turn ?? Promise.resolve()).then(() =>
      reply(request_id, request, async () => {
        if (resolved instanceof HranaError) throw resolved;
        const { stream } = open!;
        if (entry) stream.log = entry;
        if (request.type !== "close_stream") return await answer(stream, resolved, resolve, sqls);
        stream.close();
        return { type: request.type };
      })
    );
    if (open) open.turn = turn;
    if (request.type === "close_stream") streams.delete(id);
  };

  socket.onmessage = ({ data }) => {
    server.bytesIn += new TextEncoder().encode(data).length;
    const due = performance.now() + server.latency;
    arrival = arrival.then(async () => {
      const rest = due - performance.now();
      if (rest > 0) await host.sleep(rest);
      handle(JSON.parse(data));
    }).catch(() => socket.close(3007));
  };

  return async () => {
    await arrival;
    await Promise.all([...streams.values()].map(({ stream, turn }) => turn.finally(() => stream.close())));
  };
}
