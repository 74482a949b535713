import { conformance } from "./deno.ts";
import { pool } from "./neon.ts";

conformance(pool);
