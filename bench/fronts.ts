/**
 * Where Neon's driver finds the front that stands in for its proxy; for contenders, whose process has nothing of the
 * servers. Imports nothing.
 *
 * @module
 */

/** Sets the driver's `neonConfig` so that connection strings lead to fronts. */
export function useFronts(neonConfig: {
  fetchEndpoint: unknown;
  wsProxy: unknown;
  useSecureWebSocket: boolean;
  pipelineConnect: "password" | false;
}): void {
  neonConfig.fetchEndpoint = (host: string, port: number | string) => `http://${host}:${port}/sql`;
  neonConfig.wsProxy = (host: string, port: number | string) => `${host}:${port}/v2`;
  neonConfig.useSecureWebSocket = false;
  neonConfig.pipelineConnect = false;
}
