/**
 * Put before an example, so that the driver finds a front of Neon's on this machine in place of Neon: what `useFronts()` of
 * tests/servers/neon.ts sets, without what Deno alone has.
 *
 * @module
 */
import { neonConfig } from "@neondatabase/serverless";

neonConfig.fetchEndpoint = (host, port) => `http://${host}:${port}/sql`;
