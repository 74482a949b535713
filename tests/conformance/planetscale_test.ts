import { planetscale } from "./planetscale.ts";
import { conformance } from "./deno.ts";

conformance(planetscale);
