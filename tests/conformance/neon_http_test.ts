import { conformance } from "./deno.ts";
import { http } from "./neon.ts";

conformance(http);
