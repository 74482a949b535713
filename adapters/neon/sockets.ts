/**
 * Connections over WebSockets: one opened for each transaction and ended with it, or lent by what the user made. None is
 * ever kept for later: in Cloudflare's Workers one that outlives its request hangs.
 *
 * @module
 */
import { deferred } from "../shared/deferred.ts";
import { boundToRequest } from "../shared/request_bound.ts";
import { LockTimeoutError } from "../../src/errors.ts";
import type { NeonClient, NeonPool, NeonPoolClient, RawResult } from "./client.ts";
import { asError } from "./errors.ts";
import { Pipeline } from "./pipeline.ts";
import type { TextStatement } from "./values.ts";

/** A connection for the time of one transaction or one statement. */
export class Seat {
  /** The driver's client. */
  readonly client: NeonClient | NeonPoolClient;
  readonly #leave: (isBroken: boolean) => Promise<void>;
  readonly #onError = (error: unknown) => this.broken ??= asError(error);
  #left: Promise<void> | undefined;
  /** What ended the connection while nothing was under way. */
  broken: Error | undefined;

  constructor(client: NeonClient | NeonPoolClient, leave: (isBroken: boolean) => Promise<void>) {
    this.client = client;
    this.#leave = leave;
    client.on("error" as never, this.#onError as never); // Without a listener it would end the process.
  }

  /** Runs statements in one trip. Rejects with a PipelineError. */
  run(statements: readonly TextStatement[]): Promise<RawResult[]> {
    const pipeline = new Pipeline(statements);
    this.client.query(pipeline as never);
    return pipeline.done;
  }

  /** Gives the connection back, or ends it when what it was doing is not known. Only the first call counts. */
  leave(isBroken: boolean): Promise<void> {
    return this.#left ??= (async () => {
      await this.#leave(isBroken);
      // One that is being closed may still be told why the server closes it.
      if (!isBroken) this.client.removeListener("error" as never, this.#onError as never);
    })();
  }
}

/** Where connections come from. */
export interface Sockets {
  /** A connection that is ready; `giveUp` is called with what cancels the waiting. */
  take(giveUp: (cancel: () => void) => void, purpose: "statement" | "transaction"): Promise<Seat>;
}

/** As much of a WebSocket as it takes to write to it. */
interface Socket {
  readonly readyState: number;
  send(data: unknown): void;
  close(): void;
}

/**
 * A constructor of WebSockets that close when something is said before they are open: it is the leave that the driver takes of
 * a connection which is given up while it opens. In a timer, where nothing could catch what `send()` throws then, so that it
 * would end the process; and the driver leaves it to the server, which never hears of it, to close the connection.
 */
export function quietly(opened: new (url: string) => object): new (url: string) => object {
  return class {
    constructor(url: string) {
      const socket = new opened(url) as Socket;
      const { send } = socket;
      return Object.assign(socket, {
        send(data: unknown): void {
          if (socket.readyState === 0) socket.close();
          else send.call(socket, data);
        },
      });
    }
  };
}

/** A connection opened for each use: costs the WebSocket's handshake and the login. */
export function openEach(create: () => NeonClient): Sockets {
  return {
    async take(giveUp) {
      const client = create();
      const ended = new Promise<void>((resolve) => client.on("end" as never, resolve as never));
      // end() of a connection that is gone never resolves, and "end" comes whichever way it went.
      const leave = async () => {
        client.end().catch(() => {});
        await ended;
        await new Promise((resolve) => setTimeout(resolve)); // What the driver still had to write is dropped by now.
      };
      const seat = new Seat(client, leave);
      giveUp(() => seat.leave(true));
      try {
        await client.connect();
      } catch (error) {
        await seat.leave(true);
        throw asError(error);
      }
      return seat;
    },
  };
}

/** Connections that a pool lends. One whose state is not known is closed, not given back. */
export function fromPool(pool: NeonPool): Sockets {
  const check = boundToRequest("A Pool", "neon()");
  return {
    async take(giveUp) {
      check();
      let isUnwanted = false;
      giveUp(() => isUnwanted = true);
      const seat = await new Promise<Seat>((resolve, reject) => {
        const sit = (client: NeonPoolClient) =>
          resolve(new Seat(client, (isBroken) => Promise.resolve(client.release(isBroken))));
        // By a callback, at once: until somebody listens, what the server says of its end would end the process. A pool of
        // another make may give a promise instead.
        const lent = pool.connect((error, client) => client === undefined ? reject(error) : sit(client));
        lent?.then(sit, reject);
      });
      if (isUnwanted) await seat.leave(false);
      return seat;
    },
  };
}

/**
 * One connection that the user made, and connects and ends; connected here if it was not. Statements on their own take
 * turns. Beside an open transaction all is refused: a statement would become part of it.
 */
export function fromClient(client: NeonClient, where: string): Sockets {
  let connected: Promise<unknown> | undefined;
  let inTransaction = false;
  let turn: Promise<void> = Promise.resolve();
  const checkRequest = boundToRequest("A Client", "neon()");
  return {
    async take(giveUp, purpose) {
      checkRequest();
      let isUnwanted = false;
      giveUp(() => isUnwanted = true);
      const before = turn;
      const { promise, resolve } = deferred<void>();
      const check = () => {
        if (!inTransaction) return;
        const advice = "use a Pool, or end the transaction first";
        throw new LockTimeoutError(`The one connection of ${where} is in use by a transaction; ${advice}`);
      };
      check();
      turn = promise;
      await before;
      try {
        check();
        const { _connected, _connecting } = client as { _connected?: boolean; _connecting?: boolean };
        if (_connected === false && _connecting === false) connected ??= client.connect();
        await connected;
      } catch (error) {
        resolve();
        throw error instanceof LockTimeoutError ? error : asError(error);
      }
      inTransaction = purpose === "transaction" && !isUnwanted;
      const seat = new Seat(client, (isBroken) => {
        if (isBroken) client.end().catch(() => {});
        if (purpose === "transaction") inTransaction = false;
        resolve();
        return Promise.resolve();
      });
      if (purpose === "transaction") resolve(); // Those who wait are told now, not when it ends.
      if (isUnwanted) await seat.leave(false);
      return seat;
    },
  };
}
