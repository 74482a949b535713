import { planetscale } from "./planetscale.ts";
import { conformance } from "./suite.ts";

conformance(planetscale);
