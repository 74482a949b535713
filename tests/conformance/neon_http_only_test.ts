import { conformance } from "./deno.ts";
import { httpOnly } from "./neon.ts";

conformance(httpOnly);
