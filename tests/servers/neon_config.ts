/**
 * The driver's settings with which connection strings lead to fronts. Needs no Deno: the tests run elsewhere too.
 *
 * @module
 */

/** What of the driver's `neonConfig` must be set so that connection strings lead to fronts; no state of any one front. */
export function useFronts(neonConfig: {
  fetchEndpoint: unknown;
  wsProxy: unknown;
  useSecureWebSocket: boolean;
  pipelineConnect: "password" | false;
}): void {
  neonConfig.fetchEndpoint = (host: string, port: number | string) => `http://${host}:${port}/sql`;
  neonConfig.wsProxy = (host: string, port: number | string) => `${host}:${port}/v2`;
  neonConfig.useSecureWebSocket = false;
  neonConfig.pipelineConnect = false; // It is for passwords in clear text; PostgreSQL asks for SCRAM.
}
